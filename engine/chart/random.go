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

// A draw counts what one pass left to chance. Its number tells the passes apart.
type draw struct {
	number int
	drawn  bool
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
			if f.Type().IsVariadic() {
				return f.CallSlice(args)
			}
			return f.Call(args)
		}).Interface()
	}
	funcs["now"] = func() time.Time {
		d.drawn = true
		return time.Now().AddDate(d.number, d.number, d.number).Add(time.Duration(d.number) * 3661 * time.Second)
	}
	return funcs
}
