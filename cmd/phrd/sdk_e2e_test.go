package main_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

// sdkPeople is a program in TypeScript that acts for several people, each with a wallet of 24 words.
type sdkPeople struct {
	questions io.Writer
	answers   *bufio.Reader
}

// sdkDoor is a gateway as the SDK is told of it.
type sdkDoor struct {
	Gateway     string `json:"gateway"`
	Fingerprint string `json:"fingerprint"`
}

func newSDKPeople(t *testing.T) *sdkPeople {
	t.Helper()
	program := os.Getenv("PHRD_SDK")
	if program == "" {
		t.Skip("PHRD_SDK names no program; `make e2e` does")
	}
	command := exec.CommandContext(t.Context(), "node", program)
	command.Stderr = os.Stderr
	questions, err := command.StdinPipe()
	require.NoError(t, err)
	answers, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = questions.Close()
		_ = command.Wait()
	})
	return &sdkPeople{questions: questions, answers: bufio.NewReaderSize(answers, 1<<20)}
}

func (p *sdkPeople) ask(t *testing.T, who, what string, in map[string]any, out any) (kind, fault string) {
	t.Helper()
	question := map[string]any{"as": who, "do": what}
	for name, value := range in {
		question[name] = value
	}
	encoded, err := json.Marshal(question)
	require.NoError(t, err)
	_, err = p.questions.Write(append(encoded, '\n'))
	require.NoError(t, err)
	line, err := p.answers.ReadBytes('\n')
	require.NoError(t, err)
	var answer struct {
		Out         json.RawMessage
		Kind, Error string
	}
	require.NoError(t, json.Unmarshal(line, &answer))
	if out != nil && answer.Kind == "" {
		require.NoError(t, json.Unmarshal(answer.Out, out))
	}
	return answer.Kind, answer.Error
}

func (p *sdkPeople) does(t *testing.T, who, what string, in map[string]any, out any) {
	t.Helper()
	kind, fault := p.ask(t, who, what, in, out)
	require.Empty(t, kind, "%s: %s: %s", who, what, fault)
}

func (p *sdkPeople) fails(t *testing.T, kind, who, what string, in map[string]any) {
	t.Helper()
	got, fault := p.ask(t, who, what, in, nil)
	require.Equal(t, kind, got, "%s: %s: %s", who, what, fault)
}

// hired is somebody who works at a hospital with the SDK.
func (p *sdkPeople) hired(t *testing.T, n *localNet, hospital int, name, role string) {
	t.Helper()
	var key struct{ Address string }
	p.does(t, name, "key", nil, &key)
	employer := hospital
	if role == "auditor" {
		n.appoints(t, hospital, name, key.Address)
		employer = 0
	} else {
		n.hospital(hospital).does(t, nil, "staff", "add", name, "--role", role, "--address", key.Address)
	}
	var client struct {
		sdkDoor
		Others []sdkDoor `json:"others"`
	}
	encoded, err := os.ReadFile(filepath.Join(n.hospital(hospital).home, "client.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &client))
	var who struct {
		Role     string
		Hospital int
	}
	doors := append([]sdkDoor{client.sdkDoor}, client.Others...)
	p.does(t, name, "dial", map[string]any{"doors": doors}, &who)
	require.Equal(t, role, who.Role)
	require.Equal(t, employer, who.Hospital)

	// Another key behind the same address is another gateway.
	doors = []sdkDoor{{client.Gateway, hex.EncodeToString(make([]byte, 32))}}
	p.fails(t, "unreachable", name, "dial", map[string]any{"doors": doors})
	p.does(t, name, "dial", map[string]any{"doors": append([]sdkDoor{client.sdkDoor}, client.Others...)}, &who)
}

// genesisOf is what a hospital's genesis file makes trusted.
func genesisOf(t *testing.T, home string) logproof.Trust {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(home, "config", "genesis.json"))
	require.NoError(t, err)
	trust, err := logproof.ReadGenesis(file)
	require.NoError(t, err)
	return trust
}

// A patient, a clerk and a clinician whose programs use the TypeScript SDK work with people whose programs are the
// command: what one side stores, the other opens, and the patient reads who looked.
func TestPeopleWithTheTypeScriptSDK(t *testing.T) {
	p := newSDKPeople(t)
	c := newCast(t)
	var invitation struct{ Invitation string }
	c.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
	p.does(t, "eve", "key", nil, nil)
	var joined struct {
		Before, WalletSlot  bool
		Patient, Registered string
		Words               int
	}
	p.does(t, "eve", "join", map[string]any{"invitation": invitation.Invitation}, &joined)
	require.False(t, joined.Before)
	require.True(t, joined.WalletSlot)
	require.Equal(t, joined.Registered, joined.Patient)
	require.Equal(t, 24, joined.Words)
	p.does(t, "mallory", "key", nil, nil)
	p.fails(t, "refused: invitation_used", "mallory", "join", map[string]any{"invitation": invitation.Invitation})

	p.hired(t, c.localNet, 1, "ts-desk", "clerk")
	p.hired(t, c.localNet, 4, "ts-weber", "clinician")

	files := map[string][]byte{}
	t.Run("what the command stored opens in the SDK", func(t *testing.T) {
		path, content := file(t, "knee.dcm", 3<<20+5)
		var stored []storedFile
		c.clerk.does(t, &stored, "record", "store", path, "--patient", joined.Patient, "--wait", "minimum")
		files[stored[0].Record+"/1"] = content
		p.isOpened(t, c, joined.Patient, stored[0].Record+"/1", "knee.dcm", content)
	})
	t.Run("what the SDK stored opens in both", func(t *testing.T) {
		path, content := file(t, "chest.dcm", 20<<20+17)
		var stored struct {
			Ref    string
			Stages []string
		}
		p.does(t, "ts-desk", "store", map[string]any{"path": path, "patient": joined.Patient}, &stored)
		require.Equal(t, []string{"upload", "read back"}, stored.Stages)
		files[stored.Ref] = content
		p.isOpened(t, c, joined.Patient, stored.Ref, "chest à jeun.dcm", content)

		unlock := c.propose(t, stored.Ref)
		p.fails(t, "not approved", "eve", "approve", map[string]any{"unlock": unlock})
		c.officer.does(t, nil, "unlock", "endorse", unlock)
		p.does(t, "eve", "approve", map[string]any{"unlock": unlock}, nil)
		out := filepath.Join(t.TempDir(), "opened.dcm")
		c.doctor.does(t, nil, "record", "open", stored.Ref, "--unlock", unlock, "-o", out)
		opened, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, contentSum(content), contentSum(opened))
		p.fails(t, "session", "ts-weber", "open", map[string]any{"unlock": unlock, "ref": stored.Ref})
	})
	t.Run("what an auditor exports with the SDK is proven", func(t *testing.T) {
		p.hired(t, c.localNet, 2, "ts-auditor", "auditor")
		trust := genesisOf(t, c.hospital(2).home)
		exported := func(in map[string]any) (logproof.Report, []*auditv1.Entry) {
			path := filepath.Join(t.TempDir(), "log.ndjson")
			in["path"] = path
			p.does(t, "ts-auditor", "exportLog", in, nil)
			file, err := os.Open(path)
			require.NoError(t, err)
			defer file.Close()
			var entries []*auditv1.Entry
			report, err := logproof.Verify(file, trust, func(e *auditv1.Entry) error {
				entries = append(entries, e)
				return nil
			})
			require.NoError(t, err)
			return report, entries
		}
		whole, all := exported(map[string]any{"claim": "period"})
		require.Equal(t, whole.Size, whole.Entries)
		// A part of it, with neighbours on both sides.
		from, to := all[len(all)/3].GetTime(), all[2*len(all)/3].GetTime()
		period, some := exported(map[string]any{"claim": "period", "from": from, "to": to})
		require.NotZero(t, period.Entries)
		require.Less(t, period.Entries, whole.Entries)
		require.True(t, period.Complete)
		require.GreaterOrEqual(t, some[0].GetTime(), from)
		patient, _ := exported(map[string]any{"claim": "patient", "patient": joined.Patient})
		require.NotZero(t, patient.Entries)
		_, some = exported(map[string]any{"claim": "selection", "kind": "opened"})
		require.NotEmpty(t, some)
		for _, e := range some {
			require.Equal(t, "opened", e.GetKind())
			require.EqualValues(t, 4, e.GetHospital())
		}
		p.fails(t, "not found", "ts-auditor", "exportLog", map[string]any{"claim": "patient", "patient": "00000000000000000000000000" + "0", "path": filepath.Join(t.TempDir(), "none")})
	})
	t.Run("what the SDK locks anew voids what was asked for, and all of it makes an archive", func(t *testing.T) {
		var ref string
		for ref = range files {
			break
		}
		var asked unlockID
		p.does(t, "ts-weber", "propose", map[string]any{"refs": []string{ref}}, &asked)
		unlock := map[string]any{"unlock": asked.Unlock, "ref": ref}
		p.fails(t, "not approved", "ts-weber", "open", unlock)
		var done struct{ Relocked int }
		p.does(t, "eve", "relockAll", nil, &done)
		require.Equal(t, len(files), done.Relocked)
		p.fails(t, "ended", "ts-weber", "open", unlock)
		path := filepath.Join(t.TempDir(), "records.tar")
		p.does(t, "eve", "archive", map[string]any{"path": path}, nil)
		archive, err := os.ReadFile(path)
		require.NoError(t, err)
		archivedFiles(t, archive, files)
	})
	t.Run("the clients of CosmJS send what the SDK encodes", func(t *testing.T) {
		path, _ := file(t, "hand.dcm", 5000)
		var stored []storedFile
		c.clerk.does(t, &stored, "record", "store", path, "--patient", joined.Patient, "--wait", "none")
		unlock := c.propose(t, stored[0].Record+"/1")
		var sent struct{ Hash string }
		p.does(t, "eve", "denyWithCosmJS", map[string]any{"unlock": unlock}, &sent)
		require.Len(t, sent.Hash, 64)
		p.fails(t, "ended", "eve", "review", map[string]any{"unlock": unlock})
	})
}

// isOpened has the SDK's clinician ask for a version, its patient approve, and both read it; the patient sees who did.
func (p *sdkPeople) isOpened(t *testing.T, c *cast, patient, ref, name string, content []byte) {
	t.Helper()
	var asked unlockID
	p.does(t, "ts-weber", "propose", map[string]any{"refs": []string{ref}}, &asked)
	unlock := map[string]any{"unlock": asked.Unlock, "ref": ref, "offset": 1<<20 - 20, "length": 1 << 20}
	p.fails(t, "not approved", "ts-weber", "open", unlock)
	c.officer.does(t, nil, "unlock", "endorse", asked.Unlock)
	var inbox struct{ Unlocks []string }
	p.does(t, "eve", "inbox", map[string]any{"patient": patient}, &inbox)
	require.Contains(t, inbox.Unlocks, asked.Unlock+" ENDORSED")

	var review struct {
		Hospital, Purpose   string
		Versions, Witnesses []string
		Checks              []struct {
			Name   string
			Passed bool
		}
	}
	p.does(t, "eve", "review", unlock, &review)
	require.Equal(t, []string{ref}, review.Versions)
	require.Equal(t, "TREAT", review.Purpose)
	require.Len(t, review.Witnesses, 2)
	require.NotContains(t, review.Witnesses, review.Hospital)
	require.Len(t, review.Checks, 10)
	for _, check := range review.Checks {
		require.True(t, check.Passed, check.Name)
	}
	p.does(t, "eve", "approve", unlock, nil)

	var opened struct {
		Name, SHA256, Part string
		Size               int
	}
	p.does(t, "ts-weber", "open", unlock, &opened)
	require.Equal(t, name, opened.Name)
	require.Equal(t, len(content), opened.Size)
	require.Equal(t, contentSum(content), opened.SHA256)
	require.Equal(t, contentSum(content[1<<20-20:2<<20-20]), opened.Part)
	p.does(t, "eve", "own", unlock, &opened)
	require.Equal(t, contentSum(content), opened.SHA256)

	record, _, _ := strings.Cut(ref, "/")
	var log struct{ Kinds []string }
	eventually(t, time.Minute, "the log says that both opened it", func() bool {
		p.does(t, "eve", "log", map[string]any{"patient": patient, "record": record}, &log)
		return strings.Count(strings.Join(log.Kinds, "\n")+"\n", "opened ") >= 2
	})
	p.does(t, "ts-weber", "withdraw", unlock, nil)
	p.fails(t, "session", "ts-weber", "open", unlock)
}

func contentSum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
