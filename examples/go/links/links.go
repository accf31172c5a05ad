// Package links reads and checks the table of short links.
package links

import (
	"fmt"
	"net/url"
	"os"

	"gopkg.in/yaml.v3"
)

// Table maps short names to addresses.
type Table map[string]string

// Read gives the table in a file; each address must be absolute.
func Read(path string) (Table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	table := Table{}
	if err := yaml.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for name, address := range table {
		parsed, err := url.Parse(address)
		if err != nil || !parsed.IsAbs() {
			return nil, fmt.Errorf("%s: %s leads to %q, which is no address", path, name, address)
		}
	}
	return table, nil
}
