package cli

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"hubcap/cmd/internal/render"
)

// isTerminal tells whether a stream is a person's terminal.
func isTerminal(stream any) bool {
	f, isFile := behind(stream).(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// behind is the stream itself, where it is behind a screen.
func behind(stream any) any {
	if screen, is := stream.(*render.Screen); is {
		return screen.Unwrap()
	}
	return stream
}

// unscreened is behind for a writer.
func unscreened(w io.Writer) io.Writer {
	if screen, is := w.(*render.Screen); is {
		return screen.Unwrap()
	}
	return w
}

// size is the width and height of the terminal behind stream; 80 by 24 where
// there is none.
func (s *session) size(stream any) (width, height int) {
	width, height = 80, 24
	if f, isFile := behind(stream).(*os.File); isFile {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	if text, isSet := s.env("COLUMNS"); isSet {
		if w, err := strconv.Atoi(text); err == nil && w > 0 {
			width = w
		}
	}
	return width, height
}

// colored tells whether stream gets colours: --no-color and NO_COLOR forbid
// them, CLICOLOR_FORCE and FORCE_COLOR demand them, else a terminal has them.
func (s *session) colored(stream any) bool {
	value := func(name string) string { v, _ := s.env(name); return v }
	forced := func(name string) bool { v := value(name); return v != "" && v != "0" }
	switch {
	case s.noColor, value("NO_COLOR") != "":
		return false
	case forced("CLICOLOR_FORCE"), forced("FORCE_COLOR"):
		return true
	case value("TERM") == "dumb", value("CLICOLOR") == "0":
		return false
	}
	return isTerminal(stream)
}

// style is how text for stream is laid out.
func (s *session) style(stream io.Writer) render.Style {
	width, _ := s.size(stream)
	return render.Style{Width: width, Color: s.colored(stream), Verbose: s.verbose}
}
