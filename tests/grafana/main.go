// Reads a dashboard from standard input as Grafana's own types do, and says what is wrong with it.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins() // panels by their type, with options of their own
	raw, err := io.ReadAll(os.Stdin)
	found := dashboard.Dashboard{}
	if err == nil {
		err = found.UnmarshalJSONStrict(raw)
	}
	if err == nil {
		err = found.Validate()
	}
	if err != nil && err.Error() != "" { // Validate returns a list of errors, which may be empty
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
