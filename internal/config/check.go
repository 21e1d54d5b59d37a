package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/policy"
)

// Slack names a channel by an id.
var channelID = regexp.MustCompile(`^[CDG][A-Z0-9]{2,20}$`)

// check finds the first value that can't be meant.
func (s *sheet) check(c Config) error {
	for _, look := range []func(Config) error{s.checkPlace, s.checkSlack, s.checkPolicy, s.checkClusters, s.checkChannels, s.checkLimits, s.checkWatch} {
		if err := look(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheet) checkPlace(c Config) error {
	switch {
	case c.Cluster != "" && !ask.Cluster(c.Cluster):
		return s.at("cluster", "%q can't be the name of an EKS cluster: letters, digits, - and _, at most 100", c.Cluster)
	case !ask.Namespace(c.Namespace):
		return s.at("namespace", "%q can't be a namespace: lower-case letters, digits and -, at most 63", c.Namespace)
	case c.State != "kubernetes" && c.State != "memory":
		return s.at("state", "%q is neither kubernetes nor memory", c.State)
	case c.State == "memory" && c.Fixes:
		return s.at("fixes", "with state: memory nothing can be carried out, for bot execute can't see it; leave fixes out, or use state: kubernetes")
	}
	if setting, err := c.Check(); err != nil {
		return s.at(setting, "%v", err)
	}
	return nil
}

func (s *sheet) checkSlack(c Config) error {
	if c.Slack.APIURL != "" {
		if u, err := url.Parse(c.Slack.APIURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return s.at("slack.apiURL", "%q is no URL such as https://slack.com/api/", c.Slack.APIURL)
		}
	}
	if c.Slack.Connections < 1 || c.Slack.Connections > 4 {
		return s.at("slack.connections", "%d is not between 1 and 4: Slack allows an app 10 connections, those of all replicas together", c.Slack.Connections)
	}
	return nil
}

func (s *sheet) checkPolicy(c Config) error {
	var wrong *policy.Invalid
	if err := c.Policy.Validate(); errors.As(err, &wrong) {
		return s.at("policy."+wrong.Path, "%s", wrong.Reason)
	}
	return nil
}

func (s *sheet) checkClusters(c Config) error {
	seen := map[string]bool{c.Cluster: true}
	for i, k := range c.Clusters {
		path := fmt.Sprintf("clusters[%d]", i)
		switch {
		case !ask.Cluster(k.Name):
			return s.at(path+".name", "%q can't be the name of an EKS cluster: letters, digits, - and _, at most 100", k.Name)
		case seen[k.Name]:
			return s.at(path+".name", "%s is there twice", k.Name)
		}
		seen[k.Name] = true
	}
	return nil
}

func (s *sheet) checkChannels(c Config) error {
	known := []string{c.Cluster}
	for _, k := range c.Clusters {
		known = append(known, k.Name)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Channels)) {
		ch, path := c.Channels[id], "channels."+id
		switch {
		case !channelID.MatchString(id):
			return s.at(path, "%q is no channel id such as C0123ABCD; Slack shows it at the end of the channel's details", id)
		case ch.Namespace != "" && !ask.Namespace(ch.Namespace):
			return s.at(path+".namespace", "%q can't be a namespace: lower-case letters, digits and -, at most 63", ch.Namespace)
		case ch.Cluster != "" && c.Cluster == "" && len(c.Clusters) == 0:
			return s.at(path+".cluster", "which cluster is the first one? Set cluster too")
		case ch.Cluster != "" && !slices.Contains(known, ch.Cluster):
			return s.at(path+".cluster", "%q is neither cluster nor among clusters.%s", ch.Cluster, diagnostics.Suggest(ch.Cluster, known))
		}
	}
	return nil
}

func (s *sheet) checkLimits(c Config) error {
	l := c.Limits
	switch {
	case l.Workers < 1 || l.Workers > 64:
		return s.at("limits.workers", "%d is not between 1 and 64", l.Workers)
	case l.Queue < 1 || l.Queue > 1000:
		return s.at("limits.queue", "%d is not between 1 and 1000", l.Queue)
	case l.Diagnosis < time.Second || l.Diagnosis > 5*time.Minute:
		return s.at("limits.diagnosis", "%s is not between 1s and 5m", l.Diagnosis)
	}
	return nil
}

func (s *sheet) checkWatch(c Config) error {
	w := c.Watch
	t := w.Thresholds
	switch {
	case w.Channel == "" && len(w.Ingresses) > 0:
		return s.at("watch.ingresses", "they are watched for nobody; set watch.channel too, the id of the channel that is warned")
	case w.Channel != "" && !channelID.MatchString(w.Channel):
		return s.at("watch.channel", "%q is no channel id such as C0123ABCD; Slack shows it at the end of the channel's details", w.Channel)
	case w.Interval < time.Minute || w.Interval > time.Hour:
		return s.at("watch.interval", "%s is not between 1m and 1h", w.Interval)
	case t.Free < 1 || t.Free > 90:
		return s.at("watch.thresholds.free", "%d is not between 1 and 90 percent", t.Free)
	case t.Looks < 1 || t.Looks > 100:
		return s.at("watch.thresholds.looks", "%d is not between 1 and 100", t.Looks)
	case t.Healthy < 1 || t.Healthy > 100:
		return s.at("watch.thresholds.healthy", "%d is not between 1 and 100", t.Healthy)
	}
	for i, name := range w.Ingresses {
		path := fmt.Sprintf("watch.ingresses[%d]", i)
		if name == "all" && len(w.Ingresses) == 1 {
			continue
		}
		if q, err := ask.Parse("alb " + name); err != nil || q.Verb != "alb" || q.Namespace == "" || q.Namespace+"/"+q.Name != name {
			return s.at(path, "%q is no ingress such as backend/api-ingress, and not all", name)
		}
	}
	return nil
}
