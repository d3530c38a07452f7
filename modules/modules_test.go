package modules_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"hubcap/modules"
)

func TestChartIsAWholeFileSystem(t *testing.T) {
	expected := map[string][]string{
		"jupyterhub": {"Chart.yaml", "values.yaml", "values.schema.json", "templates/_helpers.tpl", "files/hub/z2jh.py"},
		"binderhub":  {"Chart.yaml", "templates/_helpers.tpl", "charts/jupyterhub/Chart.yaml", "charts/jupyterhub/templates/_helpers.tpl"},
	}
	if diff := cmp.Diff([]string{"binderhub", "jupyterhub"}, modules.Charts()); diff != "" {
		t.Errorf("Charts() (-want +got):\n%s", diff)
	}
	for name, files := range expected {
		chart, err := modules.Chart(modules.Prefix + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(chart, files...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "nohub", "jupyterhub/templates", "builtin:builtin:jupyterhub"} {
		if _, err := modules.Chart(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Chart(%q) = %v, want not exist", name, err)
		}
		if _, err := modules.Module(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Module(%q) = %v, want not exist", name, err)
		}
	}
}
