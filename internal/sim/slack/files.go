package slack

import (
	"io"
	"net/http"
	"strconv"
)

// File is an uploaded file.
type File struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Title    string `json:"title"`
	Mimetype string `json:"mimetype"`
	Size     int    `json:"size"`
	Private  string `json:"url_private"`
	AltText  string `json:"alt_txt,omitempty"`

	Data     []byte `json:"-"`
	uploaded bool
}

func (s *Server) uploadURL(c *call) (object, error) {
	size, err := strconv.Atoi(c.str("length"))
	if err != nil || size <= 0 || c.str("filename") == "" {
		return nil, fail("invalid_arguments")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &File{ID: s.id("F"), Name: c.str("filename"), Size: size, AltText: c.str("alt_txt")}
	f.Title, f.Private = f.Name, c.base+"/files/"+f.ID+"/"+f.Name
	s.uploads[f.ID] = f
	return object{"upload_url": c.base + "/upload/" + f.ID, "file_id": f.ID}, nil
}

func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<20)
	data, err := sent(r)
	if err != nil {
		http.Error(w, "upload was cut", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.uploads[r.PathValue("id")]
	if f == nil || f.uploaded {
		http.Error(w, "no such upload", http.StatusNotFound)
		return
	}
	f.Data, f.Size, f.uploaded, f.Mimetype = data, len(data), true, http.DetectContentType(data)
	_, _ = io.WriteString(w, "OK - "+strconv.Itoa(len(data))) // the client is gone: nobody to tell
}

// sent is what a client uploads: the body as it is, or the file of a form, whatever its name.
func sent(r *http.Request) ([]byte, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return io.ReadAll(r.Body) // no form
	}
	for {
		p, err := parts.NextPart()
		if err != nil {
			return nil, err
		}
		if p.FileName() != "" {
			return io.ReadAll(p)
		}
	}
}

func (s *Server) completeUpload(c *call) (object, error) {
	var named []struct{ ID, Title string }
	if err := c.into("files", &named); err != nil || len(named) == 0 {
		return nil, fail("invalid_arguments")
	}
	var blocks []Block
	if err := c.into("blocks", &blocks); err != nil {
		return nil, fail("invalid_blocks_format")
	}
	if err := checkMessage(blocks); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []File
	for _, n := range named {
		f := s.uploads[n.ID]
		if f == nil || !f.uploaded {
			return nil, fail("file_not_found")
		}
		if n.Title != "" {
			f.Title = n.Title
		}
		files = append(files, *f)
	}
	if c.str("channel_id") == "" {
		return object{"files": files}, nil
	}
	c.args["channel"] = c.str("channel_id")
	ch, err := s.destination(c)
	if err != nil {
		return nil, err
	}
	m := s.fromApp(ch.ID, content{text: c.str("initial_comment"), blocks: blocks})
	if root := s.state.message(ch.ID, c.str("thread_ts")); root != nil {
		m.ThreadTS = root.TS
	}
	m.Files = files
	s.state.post(m)
	s.wake()
	return object{"files": files}, nil
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.uploads[r.PathValue("id")]
	var data []byte
	if f != nil {
		data = f.Data
	}
	s.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	// What a bot uploads is data: an image is shown, everything else is saved, nothing runs.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch f.Mimetype {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		w.Header().Set("Content-Type", f.Mimetype)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_, _ = w.Write(data) // the client is gone: nobody to tell
}
