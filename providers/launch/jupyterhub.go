package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// A server is a user's default server as JupyterHub's API shows it.
type server struct {
	Ready   bool   `json:"ready"`
	Pending string `json:"pending"` // "spawn", "stop" or nothing
	URL     string `json:"url"`
}

func (h *hub) user(name string) string { return h.base + "/hub/api/users/" + url.PathEscape(name) }

// viaHub starts the default server of a user and waits until it is ready. The
// user is the gate's own: whatever an earlier sample left of it goes first, and
// afterwards so does the user, with the record of the server.
func (h *hub) viaHub(ctx context.Context, name string) (clean func(context.Context) error, err error) {
	clean = func(ctx context.Context) error { return h.remove(ctx, name) }
	if err := h.remove(ctx, name); err != nil {
		return clean, fmt.Errorf("remove what an earlier launch left: %w", err)
	}
	status, text, err := h.ask(ctx, http.MethodPost, h.user(name), nil)
	switch {
	case err != nil:
		return clean, err
	case status != http.StatusCreated && status != http.StatusConflict:
		return clean, refused("make the user "+name, status, text)
	}
	status, text, err = h.ask(ctx, http.MethodPost, h.user(name)+"/server", nil)
	switch {
	case err != nil:
		return clean, err
	case status == http.StatusTooManyRequests:
		return clean, unclear("the hub is full%s", said(text))
	case status != http.StatusCreated && status != http.StatusAccepted:
		return clean, failf("start of a server answered %d%s", status, said(text))
	}
	return clean, h.ready(ctx, name)
}

// ready waits until the server runs, or is gone because its start failed.
func (h *hub) ready(ctx context.Context, name string) error {
	for {
		s, found, err := h.server(ctx, name)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case !found:
			return failf("the server's start failed")
		case s.Ready:
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// server returns the user's default server, and whether there is one.
func (h *hub) server(ctx context.Context, name string) (server, bool, error) {
	status, text, err := h.ask(ctx, http.MethodGet, h.user(name), nil)
	if err != nil {
		return server{}, false, err
	}
	if status == http.StatusNotFound {
		return server{}, false, nil
	}
	if status != http.StatusOK {
		return server{}, false, refused("look at the user "+name, status, text)
	}
	var user struct {
		Servers map[string]server `json:"servers"`
	}
	if err := json.Unmarshal(text, &user); err != nil {
		return server{}, false, failf("the hub's answer about the user is not JSON")
	}
	s, found := user.Servers[""]
	return s, found, nil
}

// remove stops the user's server, waits until it is gone, and removes the user.
// Without such a user there is nothing to do.
func (h *hub) remove(ctx context.Context, name string) error {
	for {
		s, found, err := h.server(ctx, name)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		// While it starts or stops the hub refuses: then it is asked again.
		if s.Pending == "" {
			status, text, err := h.ask(ctx, http.MethodDelete, h.user(name)+"/server", nil)
			if err != nil {
				return err
			}
			if status >= http.StatusBadRequest && status != http.StatusBadRequest && status != http.StatusNotFound {
				return refused("stop the server", status, text)
			}
		} else if s.Pending == "spawn" {
			// A start that hangs can be cancelled; where the hub does not want to, it ends by its own timeout.
			if _, _, err := h.ask(ctx, http.MethodDelete, h.user(name)+"/server", nil); err != nil {
				return err
			}
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("the server is still there: %w", err)
		}
	}
	status, text, err := h.ask(ctx, http.MethodDelete, h.user(name), nil)
	if err != nil {
		return err
	}
	if status != http.StatusNoContent && status != http.StatusNotFound {
		return refused("remove the user "+name, status, text)
	}
	return nil
}

// refused words an answer that was not wanted. A token that may not do it says
// nothing about the change.
func refused(what string, status int, text []byte) error {
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		return unclear("the gate's token may not %s: the hub answered %d%s", what, status, said(text))
	}
	return failf("%s: the hub answered %d%s", what, status, said(text))
}
