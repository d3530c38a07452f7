package schema

import (
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// imagePrefix is a registry and the beginning of a repository's name.
var imagePrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*/?$`)

// decodeImageCache decodes an image_cache block.
func decodeImageCache(b *body, header Block) entry {
	c := &ImageCache{Block: header}
	b.require("hub")
	b.require("prefix")
	if t := b.ref("hub", "hub"); t != nil {
		c.Hub = t.address
	}
	c.Prefix = b.checked("prefix", "Invalid image prefix", matches(imagePrefix, `is not the beginning of an image's name; one is "gcr.io/binder-prod/r2d-2024-07-".`))
	c.BuildImage = b.checked("build_image", "Invalid image", matches(imageReference, `is not an image with a tag or a digest; one is "quay.io/jupyterhub/repo2docker:2024.07.0".`))
	if c.Prefix != "" && !*b.bad && !strings.HasSuffix(c.Prefix, "-") && !strings.HasSuffix(c.Prefix, "/") {
		b.l.warnAt(b.at("prefix"), "Image prefix without a separator",
			"The repository's name follows directly, as in %q. End the prefix with \"-\" unless the cache is in use under this one: a changed prefix empties it.", c.Prefix+"user-2drepo")
	}
	return c
}

func (c *ImageCache) addTo(config *Config) { config.ImageCaches = append(config.ImageCaches, *c) }

func (c *ImageCache) fields() map[string]cty.Value {
	return map[string]cty.Value{"prefix": textValue(c.Prefix), "build_image": textValue(c.BuildImage)}
}
