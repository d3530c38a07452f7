package chart

import (
	"reflect"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// drawing is the template functions whose results are not a function of their
// arguments.
var drawing = []string{
	"randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "uuidv4", "shuffle",
	"bcrypt", "htpasswd", "encryptAES", "genPrivateKey",
	"genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
}

// wide is how many bytes a drawn text has that no other draw will equal.
const wide = 16

// A draw notes what one pass left to chance. Its number tells the passes apart.
type draw struct {
	number int
	drawn  bool
	narrow bool // another draw may come to the same
}

// functions returns the drawing functions, which tell d when they are used. The
// clock is one of them: in every pass but the first it is another day, so that
// whatever depends on it is found out.
func (d *draw) functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	funcs := template.FuncMap{}
	for _, name := range drawing {
		f := reflect.ValueOf(all[name])
		funcs[name] = reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
			d.drawn = true
			call := f.Call
			if f.Type().IsVariadic() {
				call = f.CallSlice
			}
			results := call(args)
			text, isText := results[0].Interface().(string)
			d.narrow = d.narrow || isText && len(text) < wide || name == "randInt" || name == "shuffle"
			return results
		}).Interface()
	}
	funcs["now"] = func() time.Time {
		d.drawn, d.narrow = true, true
		return time.Now().AddDate(d.number, d.number, d.number).Add(time.Duration(d.number) * 3661 * time.Second)
	}
	return funcs
}
