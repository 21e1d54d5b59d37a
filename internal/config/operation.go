package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/netdiag/netdiag/diagnostics"
)

// Operation is how a program can be watched while it runs. Both programs have these settings.
type Operation struct {
	// Health is the address of /healthz, /readyz and /metrics, such as :8080; none switches them off.
	Health string `yaml:"health"`
	// LogLevel is one of LogLevels, info. SIGUSR1 makes it debug, SIGUSR2 again this.
	LogLevel string `yaml:"logLevel"`
	Debug    Debug  `yaml:"debug"`
}

// Debug says how to look into a running program.
type Debug struct {
	// Pprof is the address of profiles and of the log's level, such as 127.0.0.1:6060, of this machine or pod alone; empty
	// switches them off.
	Pprof string `yaml:"pprof"`
}

// DefaultOperation is what counts where the settings say nothing.
func DefaultOperation() Operation { return Operation{Health: ":8080", LogLevel: "info"} }

// LogLevels lists the levels of the log, the most talkative first.
func LogLevels() []string { return []string{"debug", "info", "warn", "error"} }

// Check finds the first setting that can't be meant, by its path; the error says why.
func (o Operation) Check() (setting string, err error) {
	if o.Health != "" && o.Health != "none" && !address(o.Health) {
		return "health", fmt.Errorf("%q is no address such as :8080, and not none", o.Health)
	}
	if !slices.Contains(LogLevels(), o.LogLevel) {
		return "logLevel", fmt.Errorf("%q is none of debug, info, warn and error.%s", o.LogLevel, diagnostics.Suggest(o.LogLevel, LogLevels()))
	}
	if o.Debug.Pprof == "" {
		return "", nil
	}
	host, _, _ := net.SplitHostPort(o.Debug.Pprof)
	ip, err := netip.ParseAddr(host)
	switch {
	case !address(o.Debug.Pprof):
		return "debug.pprof", fmt.Errorf("%q is no address such as 127.0.0.1:6060", o.Debug.Pprof)
	case err != nil && host != "localhost" || err == nil && !ip.IsLoopback():
		return "debug.pprof", fmt.Errorf("%q can be reached from elsewhere: profiles are for this machine or pod alone, such as 127.0.0.1:6060; kubectl port-forward reaches that", o.Debug.Pprof)
	}
	return "", nil
}

// address reports an address to listen at, with a port in digits.
func address(s string) bool {
	_, port, err := net.SplitHostPort(s)
	n, wrong := strconv.Atoi(port)
	return err == nil && wrong == nil && n >= 0 && n <= 65535
}
