package bench

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/version"
)

// This file describes the machine: figures mean little without it.

// machine is the computer and its system.
type machine struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	MemoryMiB  int    `json:"memory_mib,omitempty"` // if Linux reports it
	OS         string `json:"os"`
	Level      string `json:"tarn_cpu,omitempty"` // the instructions that TARN_CPU allows, if it is set
}

func thisMachine() machine {
	m := machine{CPU: runtime.GOARCH, Processors: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Level: os.Getenv("TARN_CPU")}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := field(string(text), "model name"); name != "" {
			m.CPU = name
		}
	} else if output, err := exec.Command("sysctl", "-n", "machdep.cpu.brand_string").Output(); err == nil {
		m.CPU = strings.TrimSpace(string(output))
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		kib, _ := strconv.Atoi(strings.TrimSuffix(field(string(text), "MemTotal"), " kB"))
		m.MemoryMiB = kib / 1024
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + strings.TrimSpace(string(text))
	}
	return m
}

// field returns the value of the first line "name : value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// ownVersions are those of Go and, if the build knows it, of Tarn.
func ownVersions() map[string]string {
	v := map[string]string{"go": runtime.Version()}
	if source := version.Read().Source(); source != "" {
		v["tarn"] = source
	}
	return v
}
