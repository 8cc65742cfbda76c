//go:build !((amd64 || arm64) && (linux || darwin || windows || freebsd))

package sqlite

import (
	"context"
	"fmt"
	"runtime"

	"github.com/seed-49005b45/tarn/data/table"
)

// Load returns an error: the library that reads databases does not run on this system.
func Load(ctx context.Context, path string, o Options) (*table.Table, error) {
	return nil, fmt.Errorf("sqlite: databases are not read on %s/%s: export the table as CSV", runtime.GOOS, runtime.GOARCH)
}
