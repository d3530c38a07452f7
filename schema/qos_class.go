package schema

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// decodeQoSClass decodes a qos_class block. cpu and memory are short for the
// request, and for the limit too where the mode says that the two are equal.
func decodeQoSClass(b *body, header Block) entry {
	q := &QoSClass{
		Block:         header,
		Mode:          QoSMode(b.word("mode", string(Guaranteed), string(MemoryGuaranteed), string(Burstable))),
		CPURequest:    b.resources("cpu_request"),
		CPULimit:      b.resources("cpu_limit"),
		MemoryRequest: b.resources("memory_request"),
		MemoryLimit:   b.resources("memory_limit"),
		PriorityClass: b.checked("priority_class", "Invalid name", objectName),
	}
	if q.Mode == "" {
		q.Mode = Burstable
	}
	b.pair("cpu", q.Mode == Guaranteed, &q.CPURequest, &q.CPULimit)
	b.pair("memory", q.Mode != Burstable, &q.MemoryRequest, &q.MemoryLimit)
	return q
}

// resources decodes a quantity of cpu or of memory, whose units are not the same:
// "512m" of memory is half a byte, and "1Gi" of cpu a billion cores.
func (b *body) resources(name string) string {
	return b.checked(name, "Invalid quantity", func(s string) string {
		if problem := quantityProblem(s); problem != "" {
			return problem
		}
		q := apiresource.MustParse(s)
		unit := strings.TrimLeft(s, "+0123456789.")
		if strings.HasPrefix(name, "memory") {
			switch {
			case unit == "m":
				return `is memory in thousandths of a byte. ` + quantityHint(s)
			case q.Sign() > 0 && q.CmpInt64(leastMemory) < 0:
				return fmt.Sprintf("is memory of %d bytes, in which nothing runs: is a unit missing, as in %q?", q.Value(), s+"Mi")
			}
			return ""
		}
		if strings.ContainsAny(unit, "kKMGTPE") && !exponent.MatchString(unit) {
			return `is cpu with a unit of memory. Write cpu in cores, as in "2" or "0.5", or in thousandths, as in "500m".`
		}
		return ""
	})
}

// exponent is a power of ten, which is no unit.
var exponent = regexp.MustCompile(`^[eE][+-]?[0-9]+$`)

// leastMemory is less than any container can start with.
const leastMemory = 1 << 20

// pair fills the request and the limit of one resource from the short form and
// from each other, and reports what contradicts.
func (b *body) pair(name string, isEqual bool, request, limit *string) {
	short := b.resources(name)
	for _, long := range []string{name + "_request", name + "_limit"} {
		if short != "" && b.has(long) && (isEqual || long == name+"_request") {
			b.errorIn(long, "Contradictory quantities", "%s says %s already. Write one of the two.", name, long)
			return
		}
	}
	if short != "" {
		*request = short
		if isEqual {
			*limit = short
		}
	}
	if isEqual {
		switch {
		case *request == "" && *limit == "":
			if !b.has(name) && !b.has(name+"_request") && !b.has(name+"_limit") {
				b.errorAt(b.at("mode"), "Missing quantity", "In this mode the %s request equals the %s limit, and neither is set. Write %s = \"…\".", name, name, name)
			}
		case *request == "":
			*request = *limit
		case *limit == "":
			*limit = *request
		}
	}
	b.comparePair(name, isEqual, *request, *limit)
}

func (b *body) comparePair(name string, isEqual bool, request, limit string) {
	r, err := apiresource.ParseQuantity(request)
	if err != nil {
		return
	}
	l, err := apiresource.ParseQuantity(limit)
	if err != nil {
		return
	}
	at := b.at(name + "_request")
	switch order := r.Cmp(l); {
	case order != 0 && isEqual:
		b.errorAt(at, "Contradictory quantities", "In this mode the %s request equals the limit, but they are %s and %s. Choose mode = \"burstable\", or one quantity.", name, request, limit)
	case order > 0:
		b.errorAt(at, "Request above the limit", "The %s request of %s is more than the limit of %s, which Kubernetes refuses.", name, request, limit)
	}
}

// objectName checks the name of a Kubernetes object.
func objectName(s string) string {
	if len(validation.IsDNS1123Subdomain(s)) > 0 {
		return `is not a name of an object: write lower case letters, digits, "-" and ".".`
	}
	return ""
}

// namespaceName checks the name of a namespace.
func namespaceName(s string) string {
	if len(validation.IsDNS1123Label(s)) > 0 {
		return `is not a name of a namespace: write at most 63 lower case letters, digits and "-".`
	}
	return ""
}

func (q *QoSClass) addTo(config *Config) { config.QoSClasses = append(config.QoSClasses, *q) }

func (q *QoSClass) fields() map[string]cty.Value {
	return map[string]cty.Value{
		"mode": textValue(string(q.Mode)), "cpu_request": textValue(q.CPURequest), "cpu_limit": textValue(q.CPULimit),
		"memory_request": textValue(q.MemoryRequest), "memory_limit": textValue(q.MemoryLimit), "priority_class": textValue(q.PriorityClass),
	}
}
