package cni

import (
	"fmt"
	"strconv"
	"time"
)

// Settings are the environment variables of the aws-node container that decide about addresses.
type Settings struct {
	WarmENI          int           // WARM_ENI_TARGET, interfaces kept free; 1 where unset. Ignored with WarmIP or MinimumIP
	WarmIP           int           // WARM_IP_TARGET, addresses kept free; 0 means unset, as in ipamd
	MinimumIP        int           // MINIMUM_IP_TARGET, floor of attached addresses, used or free; 0 means unset
	WarmPrefix       int           // WARM_PREFIX_TARGET, prefixes kept free; 1 where unset, as in the manifest
	PrefixDelegation bool          // ENABLE_PREFIX_DELEGATION
	CustomNetworking bool          // AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG
	ENIConfigLabel   string        // ENI_CONFIG_LABEL_DEF, the node label that names the ENIConfig
	SubnetDiscovery  bool          // ENABLE_SUBNET_DISCOVERY; true where unset (since v1.18)
	PodENI           bool          // ENABLE_POD_ENI, security groups for pods
	MaxENI           int           // MAX_ENI; 0 means unset
	Cordoned         bool          // AWS_MANAGE_ENIS_NON_SCHEDULABLE: also serve nodes that are cordoned
	NoLeakCleanup    bool          // DISABLE_LEAKED_ENI_CLEANUP
	Cooldown         time.Duration // IP_COOLDOWN_PERIOD, 30 s where unset
	LogFile          string        // AWS_VPC_K8S_CNI_LOG_FILE; stdout makes the log readable
	IPv4             bool          // ENABLE_IPv4; true where unset
	IPv6             bool          // ENABLE_IPv6
	// Set names the variables that are there with a value, so that "0" and "unset" can be told apart when shown.
	Set map[string]string
}

// ParseSettings reads the environment of the aws-node container. problems says which values ipamd or its
// entrypoint refuses, each in a sentence; such a CNI does not start.
func ParseSettings(env map[string]string) (s Settings, problems []string) {
	s = Settings{Set: env, ENIConfigLabel: env["ENI_CONFIG_LABEL_DEF"], LogFile: env["AWS_VPC_K8S_CNI_LOG_FILE"]}
	number := func(name string, unset int) int {
		text, ok := env[name]
		if !ok || text == "" {
			return unset
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return unset // ipamd logs and takes the default
		}
		return n
	}
	flag := func(name string, unset bool) bool {
		b, err := strconv.ParseBool(env[name])
		if err != nil {
			return unset
		}
		return b
	}
	s.WarmENI = number("WARM_ENI_TARGET", 1)
	s.WarmIP = number("WARM_IP_TARGET", 0)
	s.MinimumIP = number("MINIMUM_IP_TARGET", 0)
	s.WarmPrefix = number("WARM_PREFIX_TARGET", 1)
	s.MaxENI = number("MAX_ENI", 0)
	s.PrefixDelegation = flag("ENABLE_PREFIX_DELEGATION", false)
	s.CustomNetworking = flag("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", false)
	s.SubnetDiscovery = flag("ENABLE_SUBNET_DISCOVERY", true)
	s.PodENI = flag("ENABLE_POD_ENI", false)
	s.Cordoned = flag("AWS_MANAGE_ENIS_NON_SCHEDULABLE", false)
	s.NoLeakCleanup = flag("DISABLE_LEAKED_ENI_CLEANUP", false)
	s.IPv4 = flag("ENABLE_IPv4", true)
	s.IPv6 = flag("ENABLE_IPv6", false)
	s.Cooldown = 30 * time.Second
	if text := env["IP_COOLDOWN_PERIOD"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			problems = append(problems, fmt.Sprintf("IP_COOLDOWN_PERIOD=%q is no number of seconds", text))
		} else {
			s.Cooldown = time.Duration(n) * time.Second
		}
	}
	if s.PrefixDelegation && s.WarmPrefix == 0 && !s.targets() {
		problems = append(problems, "WARM_PREFIX_TARGET=0 is refused while neither WARM_IP_TARGET nor MINIMUM_IP_TARGET is set")
	}
	if s.IPv4 && s.IPv6 {
		problems = append(problems, "ENABLE_IPv4 and ENABLE_IPv6 are both true")
	}
	return s, problems
}

// targets reports that address targets govern the pool, and not whole interfaces or prefixes.
func (s Settings) targets() bool { return s.WarmIP > 0 || s.MinimumIP > 0 }

// With is s with the given targets.
func (s Settings) With(warmIP, minimumIP int) Settings {
	s.WarmIP, s.MinimumIP = warmIP, minimumIP
	return s
}
