//! References to images, taken apart as container runtimes read them. Nothing is looked up: whether an image exists is not
//! asked here.

/// A reference to an image: `registry.example.com:5000/shop/cart:1.4@sha256:…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageReference<'a> {
    /// Registry and repository, as written: `registry.example.com:5000/shop/cart`.
    pub(crate) repository: &'a str,
    /// The tag, if one is given.
    pub(crate) tag: Option<&'a str>,
    /// The digest, if one is given: it decides, whatever the tag says.
    pub(crate) digest: Option<&'a str>,
}

impl<'a> ImageReference<'a> {
    /// Takes `text` apart; `None` for a text that names no image.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        // A colon before the last slash belongs to the port of the registry.
        let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
        let tag = last.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty());
        let repository = match last.split_once(':') {
            Some((_, tag)) => name.strip_suffix(tag).and_then(|rest| rest.strip_suffix(':')).unwrap_or(name),
            None => name,
        };
        (!repository.is_empty()).then_some(Self { repository, tag, digest: digest.filter(|digest| !digest.is_empty()) })
    }

    /// Whether the same reference may name another image tomorrow because nothing in it names a version: no digest, and no
    /// tag or `latest`.
    pub(crate) fn is_latest(self) -> bool {
        self.digest.is_none() && self.tag.is_none_or(|tag| tag == "latest")
    }

    /// Whether the tag names a branch or a channel instead of a version: `latest`, `stable`, `main`. Every version has a
    /// digit somewhere.
    pub(crate) fn is_channel(self) -> bool {
        self.is_latest() || (self.digest.is_none() && self.tag.is_some_and(|tag| !tag.bytes().any(|byte| byte.is_ascii_digit())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (&str, Option<&str>, Option<&str>) {
        let image = ImageReference::parse(text).unwrap();
        (image.repository, image.tag, image.digest)
    }

    #[test]
    fn ports_tags_and_digests_are_told_apart() {
        assert_eq!(parts("nginx"), ("nginx", None, None));
        assert_eq!(parts("nginx:1.29"), ("nginx", Some("1.29"), None));
        assert_eq!(parts("registry:5000/nginx"), ("registry:5000/nginx", None, None));
        assert_eq!(parts("registry:5000/a/nginx:1"), ("registry:5000/a/nginx", Some("1"), None));
        assert_eq!(parts("a/b:1@sha256:00ff"), ("a/b", Some("1"), Some("sha256:00ff")));
        assert_eq!(parts("a/b@sha256:00ff"), ("a/b", None, Some("sha256:00ff")));
        assert_eq!(parts("a:5000/b:latest"), ("a:5000/b", Some("latest"), None));
        assert_eq!(ImageReference::parse(""), None);
        assert_eq!(ImageReference::parse(":1"), None);
    }

    #[test]
    fn a_digest_decides() {
        for (text, latest, channel) in [
            ("nginx", true, true),
            ("nginx:", true, true),
            ("nginx:latest", true, true),
            ("localhost:5000/nginx", true, true),
            ("nginx:latest@sha256:00ff", false, false),
            ("nginx:stable", false, true),
            ("nginx:latest-alpine", false, true),
            ("nginx:1", false, false),
            ("nginx:v2-alpine", false, false),
        ] {
            let image = ImageReference::parse(text).unwrap();
            assert_eq!((image.is_latest(), image.is_channel()), (latest, channel), "{text}");
        }
    }
}
