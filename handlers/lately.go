package handlers

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// usualHistory is how many questions are listed where nobody says how many.
const usualHistory = 5

// lately answers status and history.
func (b *Bot) lately(ctx context.Context, r request, c ask.Command) (render.Message, error) {
	now := b.Now()
	if c.Verb == "history" {
		names := b.index.newest(orElse(c.Count, usualHistory), func(a asked) bool { return a.channel == r.channel || a.root == r.channel })
		here, err := read(ctx, &b.index, b.Book.Store.Investigations, names)
		if err != nil {
			return render.Message{}, err
		}
		entries := b.entries(here, r.channel)
		for i, e := range entries {
			if entries[i].Remediations, err = read(ctx, &b.index, b.Book.Store.Remediations, b.index.fixesOf(e.Investigation.Name)); err != nil {
				return render.Message{}, err
			}
		}
		return render.History(entries, now), nil
	}
	running, err := read(ctx, &b.index, b.Book.Store.Investigations, b.unfinished())
	if err != nil {
		return render.Message{}, err
	}
	running = slices.DeleteFunc(running, func(inv casebook.Investigation) bool {
		// What somebody asks in a direct message is nobody else's.
		return over(inv) || now.Sub(inv.Created) >= adoptUntil || direct(inv.Question.Channel) && inv.Question.User != r.user
	})
	slices.SortFunc(running, func(a, c casebook.Investigation) int { return a.Created.Compare(c.Created) })
	s := b.status()
	s.Stopped = b.stopped(ctx)
	s.Watch = b.watch.says(ctx)
	s.Running = b.entries(running, r.channel)
	return render.StatusMessage(s, now), nil
}

// entries gives each its link, for readers of the channel here: the direct message with somebody else can't be opened.
func (b *Bot) entries(all []casebook.Investigation, here string) []render.Entry {
	var out []render.Entry
	for _, inv := range all {
		e := render.Entry{Case: casebook.Case{Investigation: inv}}
		if root := inv.Status.Root; !direct(root.Channel) || root.Channel == here {
			e.Link = b.permalink(root.Channel, root.TS, threadOf(inv))
		}
		out = append(out, e)
	}
	return out
}

// permalink is the address of a message; thread is that of the thread it stands in, if any. It is empty where there is no message.
func (b *Bot) permalink(channel, ts, thread string) string {
	if channel == "" || ts == "" || b.me.site == "" {
		return ""
	}
	link := b.me.site + "archives/" + url.PathEscape(channel) + "/p" + url.PathEscape(strings.ReplaceAll(ts, ".", ""))
	if thread != "" && thread != ts {
		link += "?thread_ts=" + url.QueryEscape(thread) + "&cid=" + url.QueryEscape(channel)
	}
	return link
}

// me is the bot as Slack knows it.
type me struct {
	id, name string
	site     string // address of the workspace, with a slash at its end
}

// status is how the bot is; what runs is not in it.
func (b *Bot) status() render.Status {
	var further []string
	for _, t := range b.Clusters {
		further = append(further, t.Cluster+" in "+t.Region)
	}
	return render.Status{
		Further: further, Cluster: b.Target.Cluster, Region: b.Target.Region, Fixes: b.Fixes, Connection: b.health(),
		Waiting: len(b.slots), Places: cap(b.slots),
	}
}

// health is how the connection to Slack is, in one sentence.
func (b *Bot) health() string {
	n, since := b.pulse.hearing()
	switch {
	case n == 0:
		return "none to Slack at this moment"
	case n == 1:
		return "one to Slack, heard without a break since " + since.UTC().Format("2 January 15:04 UTC")
	}
	return fmt.Sprintf("%d to Slack, heard without a break since %s", n, since.UTC().Format("2 January 15:04 UTC"))
}
