package casebook

import "fmt"

// CheckInvestigation is Check for an Investigation.
func CheckInvestigation(old, new Investigation) error {
	was, is := old.Status, new.Status
	if old.Name == "" {
		switch {
		case new.Name == "":
			return illegal("an investigation needs a name")
		case new.Question.User == "" || new.Question.Team == "":
			return illegal("%s: nobody is named who asked", new.Name)
		case !same(is, InvestigationStatus{Phase: is.Phase}) || is.Phase != "" && is.Phase != Received:
			return illegal("%s: a new investigation is Received, and nothing has been done", new.Name)
		}
		return nil
	}
	moves := map[InvestigationPhase][]InvestigationPhase{"": {Received}, Received: {Diagnosing, Faulted}, Diagnosing: {Reported, Faulted}}
	legal := was.Phase == is.Phase
	for _, p := range moves[was.Phase] {
		legal = legal || p == is.Phase
	}
	switch {
	case old.Name != new.Name || !same(old.Question, new.Question):
		return illegal("the question of %s can't be changed", old.Name)
	case !legal:
		return illegal("%s can't go from %s to %s", old.Name, spell(was.Phase), spell(is.Phase))
	case (is.Report != nil) != (is.Phase == Reported):
		return illegal("%s: there is a report exactly in phase %s", old.Name, Reported)
	case was.Report != nil && !same(was.Report, is.Report):
		return illegal("the report of %s can't be changed", old.Name)
	case was.Root != Message{} && was.Root != is.Root:
		return illegal("the root message of %s is posted already", old.Name)
	case len(is.Wanted) > 0 && is.Phase != Reported:
		return illegal("%s: more of an answer can be wanted only once it is there", old.Name)
	}
	for what, user := range was.Wanted {
		if is.Wanted[what] != user {
			return illegal("%s: %q was wanted by %s: that can't be forgotten", old.Name, what, user)
		}
	}
	for _, err := range []error{checkClaim(was.Claim, is.Claim), checkClaim(was.Delivery, is.Delivery), checkKept(was.Posted, is.Posted)} {
		if err != nil {
			return fmt.Errorf("%s: %w", old.Name, err)
		}
	}
	return nil
}
