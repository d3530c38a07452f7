package render

import (
	"fmt"
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// TestRefusedIsNoNoChange holds that what is refused or could not be read is never
// under "No changes" or "Drift: none", and that one reason is told once, with a count.
func TestRefusedIsNoNoChange(t *testing.T) {
	p := &plan.Plan{Config: "c", Unchanged: 1}
	if text := Plan(p, Style{Width: 80}); !strings.Contains(text, "No changes: 1 object is as desired.") {
		t.Fatalf("without refusals:\n%s", text)
	}
	for i := range 13 {
		address := resource.ParseAddress(fmt.Sprintf("hub.lab/ConfigMap/c%d", i))
		p.Refused = append(p.Refused, plan.Refused{Address: address, Reason: "namespace lab is being deleted", Missing: i > 0})
	}
	for name, text := range map[string]string{"plan": Plan(p, Style{Width: 80}), "drift": Drift(p, Style{Width: 80}), "markdown": Markdown(p)} {
		if strings.Contains(text, "No changes") || strings.Contains(text, "Drift: none") || strings.Contains(text, "no change\n") {
			t.Errorf("%s says that all is well:\n%s", name, text)
		}
		if strings.Count(text, "is being deleted") != 1 || !strings.Contains(text, "13 objects: namespace lab is being deleted") || !strings.Contains(text, "ConfigMap/c2") {
			t.Errorf("%s does not say the reason once, with what it is about:\n%s", name, text)
		}
	}
	if text := Drift(p, Style{Width: 80}); !strings.Contains(text, "Drift: not known: 13 objects are refused (12 of them missing); 1 object is as desired.") {
		t.Errorf("drift:\n%s", text)
	}
	p = &plan.Plan{Config: "c", Unchanged: 1, Unreadable: []resource.Unreadable{{What: "pods", Reason: "forbidden"}}}
	if text := Plan(p, Style{Width: 80}); strings.Contains(text, "No changes") || !strings.Contains(text, "Nothing can be done: 1 thing could not be read") {
		t.Errorf("with something unreadable:\n%s", text)
	}
}
