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

	calls []call // of drawing functions, in the order of the last pass
	given []call // what these return instead of drawing; one without results draws
}

// A call is one use of a drawing function.
type call struct {
	name    string
	args    []reflect.Value
	results []reflect.Value
}

// texts returns what a call drew: one text, or those of a certificate and its key.
func (c call) texts() []string { return textsOf(c.results[0]) }

func textsOf(v reflect.Value) []string {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Struct:
		var all []string
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String {
				all = append(all, f.String())
			}
		}
		return all
	}
	return nil
}

// note keeps a call, and returns its results: those given, or those of drawing.
func (d *draw) note(name string, args []reflect.Value, drawing func() []reflect.Value) []reflect.Value {
	c := call{name: name, args: args}
	if i := len(d.calls); i < len(d.given) && d.given[i].name == name {
		c.results = d.given[i].results
	}
	if c.results == nil {
		c.results = drawing()
	}
	d.calls = append(d.calls, c)
	return c.results
}

// functions returns the drawing functions for one pass, which tell d when they are
// used. The clock is one of them: in every pass but the first it is another day and
// hour, so that whatever depends on it is found out.
func (d *draw) functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	funcs := template.FuncMap{}
	d.calls = nil
	for _, name := range drawing {
		f := reflect.ValueOf(all[name])
		funcs[name] = reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
			d.drawn = true
			results := d.note(name, args, func() []reflect.Value {
				if f.Type().IsVariadic() {
					return f.CallSlice(args)
				}
				return f.Call(args)
			})
			text, isText := results[0].Interface().(string)
			d.narrow = d.narrow || isText && len(text) < wide || name == "randInt" || name == "shuffle"
			return results
		}).Interface()
	}
	funcs[clock] = func() time.Time {
		d.drawn, d.narrow = true, true
		results := d.note(clock, nil, func() []reflect.Value {
			return []reflect.Value{reflect.ValueOf(time.Now().AddDate(d.number, d.number, d.number).Add(time.Duration(d.number) * otherHour))}
		})
		return results[0].Interface().(time.Time)
	}
	return funcs
}

const (
	clock     = "now"
	otherHour = 13*time.Hour + time.Minute + time.Second // other in every part, and in the half of the day
)
