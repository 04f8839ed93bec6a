package layers

// Groups of packages of other modules that rules name more than once.
var (
	chain   = []string{"github.com/cosmos/cosmos-sdk/...", "github.com/cometbft/cometbft/..."}
	ipfs    = []string{"github.com/ipfs/boxo/...", "github.com/libp2p/go-libp2p/..."}
	network = []string{"net", "net/http", "google.golang.org/grpc/..."}
)

// Rules is the table of what may import what. Arrows go from the binary down to
// the pure packages, and among the modules of the chain from access to audit.
var Rules = []Rule{
	{
		From: []string{"./lock/..."},
		Only: []string{"./lock/..."}, Never: join(chain, ipfs, network), Deep: true,
		Why: "lock is pure: no chain, no storage, no network",
	},
	{
		From: []string{"./seal/..."},
		Only: []string{"./seal/...", "./lock/..."}, Never: join(chain, ipfs, network), Deep: true,
		Why: "seal is pure: no chain, no storage, no network",
	},
	{
		From: []string{"./keys/..."},
		Only: []string{"./keys/...", "./lock/...", "./wallet/..."}, Never: join(chain, ipfs), Deep: true,
		Why: "key files know no chain and no storage",
	},
	{
		From: []string{"./x/..."},
		Only: []string{"./x/...", "./lock/..."}, Never: ipfs,
		Why: "the modules of the chain import only lock from outside x",
	},
	{
		From: []string{"./x/audit/..."},
		Only: []string{"./x/audit/...", "./lock/..."},
		Why:  "audit is the lowest module",
	},
	{
		From: []string{"./x/consortium/..."},
		Only: []string{"./x/consortium/...", "./x/audit/...", "./lock/..."},
		Why:  "consortium stands on audit alone",
	},
	{
		From: []string{"./x/custody/..."},
		Only: []string{"./x/custody/...", "./x/consortium/...", "./x/audit/...", "./lock/..."},
		Why:  "custody stands on consortium and knows neither storage nor patients",
	},
	{
		From: []string{"./x/storage/..."},
		Only: []string{"./x/storage/...", "./x/consortium/...", "./x/audit/...", "./lock/..."},
		Why:  "storage stands on consortium and knows neither keys nor owners",
	},
	{
		From:  []string{"./x/records/..."},
		Never: []string{"./x/access/..."},
		Why:   "records stands below access",
	},
	{
		From: []string{"./x/audit", "./x/consortium", "./x/custody", "./x/storage", "./x/records", "./x/access"},
		Never: []string{
			"./x/audit/keeper/...", "./x/consortium/keeper/...", "./x/custody/keeper/...",
			"./x/storage/keeper/...", "./x/records/keeper/...", "./x/access/keeper/...",
		},
		Why: "domain types and their rules need no store",
	},
	{
		From: []string{"./api/..."},
		Only: []string{"./api/..."}, Never: join(chain, ipfs), Deep: true,
		Why: "outsiders import api without the chain's code",
	},
	{
		From: []string{"./web"},
		Only: []string{"./web"}, Never: join(chain, ipfs, network), Deep: true,
		Why: "the built pages are files and know nothing",
	},
	{
		From: []string{"./logproof/..."},
		Only: []string{"./logproof/...", "./api/...", "./lock/..."}, Never: join(chain, ipfs), Deep: true,
		Why: "whoever verifies an export needs no program of the chain",
	},
	{
		From: []string{"./fhir/..."},
		Only: []string{"./fhir/...", "./logproof/...", "./api/...", "./lock/..."}, Never: join(chain, ipfs), Deep: true,
		Why: "whoever reads an export as FHIR needs no program of the chain",
	},
	{
		From: []string{"./report/..."},
		Only: []string{"./report/...", "./logproof/...", "./api/...", "./lock/...", "./wallet/..."}, Never: join(chain, ipfs), Deep: true,
		Why: "a report is made of a verified export and nothing else",
	},
	{
		From: []string{"./witness/..."},
		Only: []string{"./witness/...", "./logproof/...", "./phr/...", "./api/...", "./seal/...", "./lock/...", "./wallet/...", "./blob", "./blob/car"}, Never: join(chain, ipfs), Deep: true,
		Why: "a witness belongs to no hospital and needs no program of the chain",
	},
	{
		From: []string{"./cmd/phrd-verify"},
		Only: []string{"./cmd/phrd-verify", "./logproof/...", "./api/...", "./lock/..."}, Never: join(chain, ipfs), Deep: true,
		Why: "whoever verifies an export needs no program of the chain",
	},
	{
		From: []string{"./phr/..."},
		Only: []string{"./phr/...", "./logproof/...", "./api/...", "./seal/...", "./lock/...", "./wallet/...", "./blob", "./blob/car"}, Never: join(chain, ipfs), Deep: true,
		Why: "outsiders import phr without the chain's code",
	},
	{
		From: []string{"./inbox/..."},
		Only: []string{"./inbox/...", "./phr/...", "./logproof/...", "./api/...", "./seal/...", "./lock/...", "./wallet/...", "./blob", "./blob/car"}, Never: join(chain, ipfs), Deep: true,
		Why: "a watched folder needs nothing that a developer outside does not have",
	},
	{
		From: []string{"./blob/..."},
		Only: []string{"./blob/...", "./seal/...", "./lock/..."}, Never: chain, Deep: true,
		Why: "a store of bytes knows no chain",
	},
	{
		From: []string{"./blob", "./blob/pack/..."}, Never: ipfs, Deep: true,
		Why: "the contract of a store and the pack files need no IPFS",
	},
	{
		From:  []string{"./index/..."},
		Never: join([]string{"./app/...", "./cmd/...", "./gateway/...", "./node/...", "./blob/..."}, ipfs),
		Why:   "the index reads the chain's log and nothing else",
	},
	{
		From:  []string{"./node/..."},
		Never: []string{"./app/...", "./cmd/...", "./gateway/..."},
		Why:   "node reads the chain through an interface",
	},
	{
		From:  []string{"./gateway/..."},
		Never: []string{"./app/...", "./cmd/..."},
		Why:   "the gateway is wired by the command, never the other way round",
	},
	{
		From: []string{"./..."}, Except: []string{"./app/...", "./cmd/...", "./testutil/scenario/..."},
		Never: []string{"./app", "./cmd/..."},
		Why:   "only commands and scenarios hold a whole chain",
	},
	{
		From: []string{"./..."}, Except: []string{"./app/...", "./cmd/...", "./testutil/scenario/..."},
		Never: []string{"./app"}, Tests: true,
		Why: "linking the chain costs a minute of CPU for each test package",
	},
	{
		From: []string{"./..."}, Except: []string{"./testutil/..."},
		Never: []string{"./testutil/...", "testing"},
		Why:   "test code stays out of the program",
	},
	{
		From: []string{"./testutil/attacker/..."},
		Only: []string{"./testutil/attacker/...", "./lock/...", "./seal/..."},
		Why:  "the attacker holds keys and ciphertext, not our services",
	},
	{
		From: []string{"./testutil/attacker/..."}, Tests: true,
		Only: []string{"./testutil/attacker/...", "./lock/...", "./seal/..."},
		Why:  "the attacker holds keys and ciphertext, not our services",
	},
}

func join(groups ...[]string) []string {
	var all []string
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}
