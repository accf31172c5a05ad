package links

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "links.yaml")
	for text, good := range map[string]bool{"a: https://example.org/": true, "a: nowhere": false, "- a": false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
