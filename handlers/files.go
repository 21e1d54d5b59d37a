package handlers

import (
	"bytes"
	"context"
	"fmt"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/redact"
	outline "github.com/netdiag/netdiag/internal/render"
	"github.com/netdiag/netdiag/internal/render/markdown"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// noFiles stands in Posted where Slack would not have a file.
const noFiles = "refused"

const filesRefused = "Slack does not let me post files here: the app needs the scope files:write, and the workspace has to allow files. The same is in the answer, its evidence and its commands."

// upload is a file for a thread.
type upload struct {
	name, title string
	alt         string // of a picture: what it shows
	data        []byte
}

// tellFiles posts the whole report as files: Markdown to read, JSON for programs, and the snapshot to replay while it is kept.
func (t *teller) tellFiles(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	r := *inv.Status.Report
	var page, doc bytes.Buffer
	if err := markdown.Render(&page, r, markdown.Options{}); err != nil {
		return inv, fmt.Errorf("render the report of %s: %w", inv.Name, err)
	}
	if err := outline.JSON(&doc, r); err != nil {
		return inv, fmt.Errorf("render the report of %s: %w", inv.Name, err)
	}
	base := "netdiag-" + inv.Name
	files := []upload{{name: base + ".md", title: "Report", data: page.Bytes()}, {name: base + ".json", title: "Report for programs", data: doc.Bytes()}}
	says := "The whole report. What it was made of is no longer kept: only the process that read it keeps that, for its last answers. Ask again and press the button soon to get it."
	if snapshot, ok := t.snapshot(inv); ok {
		files = append(files, upload{name: base + "-snapshot.json", title: "Snapshot", data: snapshot})
		says = "The whole report, and the snapshot that it was made of: bot replay judges that again, without any cluster."
	} else if t.leftForSnapshot(inv) {
		return inv, errElsewhere
	}
	inv, err := t.tellUpload(ctx, inv, wantFile, says, files)
	if err == nil && inv.Status.Posted[wantFile] == noFiles {
		m := render.Refusal(filesRefused)
		if err := t.web.whisper(ctx, inv.Status.Root.Channel, threadOf(inv), inv.Status.Wanted[wantFile], m); err != nil {
			t.Log.Warn("say that files are refused", zap.String("investigation", inv.Name), zap.Error(err))
		}
	}
	return inv, err
}

// leftForSnapshot reports that the process which looked into a question may still live and keep its snapshot.
func (t *teller) leftForSnapshot(inv casebook.Investigation) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, waited := t.left[inv.Name]
	return !waited && inv.Status.Claim.Holder != t.Holder
}

// snapshot is what the answer was made of, as a file without secrets; ok is false where it is no longer kept.
func (t *teller) snapshot(inv casebook.Investigation) (file []byte, ok bool) {
	out, ok := t.kept.get(inv.Name)
	if !ok {
		out, ok = t.kept.get(inv.Question.Follows)
	}
	if !ok {
		return nil, false
	}
	out.Report = *inv.Status.Report
	file, err := out.Save(t.Version)
	if err == nil {
		file, err = redact.JSON(file)
	}
	if err != nil {
		t.Log.Error("write a snapshot", zap.String("investigation", inv.Name), zap.Error(err))
		return nil, false
	}
	return file, true
}

// tellUpload posts files into the thread, and notes under key that it did, or that Slack would never have them.
func (t *teller) tellUpload(ctx context.Context, inv casebook.Investigation, key, says string, files []upload) (casebook.Investigation, error) {
	id := ""
	may := t.of(inv.Name, posting{}).may
	err := t.out.inLane(ctx, inv.Status.Root.Channel, rankAnswer, func() (err error) {
		if err = may(); err != nil {
			return err
		}
		id, err = t.web.upload(context.WithoutCancel(ctx), inv.Status.Root.Channel, threadOf(inv), says, files)
		return err
	})
	if codeOf(err) != "" && !temporary(err) {
		t.Log.Error("post files", zap.String("investigation", inv.Name), zap.Error(err))
		id, err = noFiles, nil
	}
	if err != nil {
		return inv, fmt.Errorf("post %s of %s: %w", key, inv.Name, err)
	}
	return t.posted(ctx, inv.Name, key, id)
}

// upload shares files in one message and gives the id of the first. says is shown with them; Slack reads marks in it, so
// it holds nothing from a cluster.
func (w *web) upload(ctx context.Context, channel, thread, says string, files []upload) (id string, err error) {
	var all []slack.FileSummary
	for _, f := range files {
		to, err := w.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: f.name, FileSize: len(f.data), AltTxt: f.alt})
		if err != nil {
			return "", clean(fmt.Errorf("files.getUploadURLExternal %s: %w", f.name, err))
		}
		if err := w.api.UploadToURL(ctx, slack.UploadToURLParameters{UploadURL: to.UploadURL, Reader: bytes.NewReader(f.data), Filename: f.name}); err != nil {
			return "", clean(fmt.Errorf("upload %s: %w", f.name, err))
		}
		all = append(all, slack.FileSummary{ID: to.FileID, Title: f.title})
	}
	done, err := w.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{Files: all, Channel: channel, ThreadTimestamp: thread, InitialComment: says})
	if err != nil {
		return "", clean(fmt.Errorf("files.completeUploadExternal: %w", err))
	}
	if len(done.Files) == 0 {
		return all[0].ID, nil
	}
	return done.Files[0].ID, nil
}
