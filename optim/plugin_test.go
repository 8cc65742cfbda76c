//go:build pjrt

package optim_test

import _ "github.com/seed-49005b45/tarn/pjrt" // TARN_ENGINE=pjrt runs the tests of this package on a plugin
