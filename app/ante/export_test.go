package ante

import sdk "github.com/cosmos/cosmos-sdk/types"

// Limits and Roles are the two checks of our own, to be tested without an application.
func Limits() sdk.AnteDecorator { return limits{} }

func Roles(c Consortium) sdk.AnteDecorator { return roles{consortium: c} }

// Table lists the messages of the role table.
func Table() []string {
	var urls []string
	for url := range roleTable {
		urls = append(urls, url)
	}
	return urls
}
