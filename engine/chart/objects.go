package chart

// Objects returns the objects of YAML that a chart rendered elsewhere, such as
// the manifest that Helm records, in their order. The error shows nothing of a
// Secret.
func Objects(source, text string) ([]Object, error) { return decodeFile(source, text) }
