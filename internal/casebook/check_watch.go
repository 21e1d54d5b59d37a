package casebook

// checkTrial: the change is tried once, before anybody has decided on it, and what was refused is put to nobody.
func checkTrial(was, is RemediationStatus) error {
	switch {
	case was.Trial != nil && !same(was.Trial, is.Trial):
		return illegal("the trial of the change can't be changed")
	case was.Trial == nil && is.Trial != nil && (was.Phase != is.Phase || was.Phase != Proposed && was.Phase != AwaitingApproval):
		return illegal("a change is tried before it is decided on, not in phase %s", spell(is.Phase))
	case is.Trial != nil && is.Trial.Refused != "" && was.Phase != is.Phase && (is.Phase == AwaitingApproval || is.Phase == Approved):
		return illegal("nobody is asked to approve a change that was refused when it was tried")
	}
	return nil
}

// checkWatch: a watch begins with success, and goes on from Watching alone.
func checkWatch(was, is RemediationStatus) error {
	switch w, n := was.Watch, is.Watch; {
	case w == nil && n == nil:
	case w == nil:
		if was.Phase != Verifying || is.Phase != Succeeded || n.State != Watching {
			return illegal("a watch begins when a verified change succeeds")
		}
	case n == nil || !n.Until.Equal(w.Until):
		return illegal("how long a change is watched can't be changed")
	case w.State != Watching && !same(w, n):
		return illegal("the watch has ended: the change is %s", w.State)
	case n.State != Watching && n.State != Held && n.State != Undone:
		return illegal("%q is no state of a watch", n.State)
	case n.At.Before(w.At):
		return illegal("the time of a look can't go back")
	}
	return nil
}
