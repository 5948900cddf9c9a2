//! Literal credentials, told by the name of a setting and by the shape of its value.
//!
//! The question is always "would this text let somebody in?". A setting is *called* a credential when that is the head of
//! its name: `DB_PASSWORD` and `dbPassword` are, `PASSWORD_FILE` and `TOKEN_TTL` are not. A value *is* one by shape when its
//! issuer made it recognisable, or when it is an address with a password inside. Nothing here ever returns or prints a value.

/// What a value was recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its name says that it is a credential, and the value is a literal.
    Named,
    /// A private key in PEM.
    PrivateKey,
    /// A token or key in the format of this issuer.
    Token(&'static str),
    /// A signed JSON Web Token.
    Jwt,
    /// An address or connection string with a password in it.
    Address,
}

/// Recognises a literal credential in the setting `name` with `value`.
pub(crate) fn looks_like(name: &str, value: &str) -> Option<Kind> {
    by_shape(value).or_else(|| head(&words(name)).filter(|&head| is_literal(value, head)).map(|_| Kind::Named))
}

/// Recognises a credential by the value alone, anywhere in it.
pub(crate) fn by_shape(value: &str) -> Option<Kind> {
    if has_private_key(value) {
        return Some(Kind::PrivateKey);
    }
    // Whoever knows the address of such a hook may post.
    if value.contains("hooks.slack.com/services/T") {
        return Some(Kind::Token("Slack"));
    }
    let words = value.split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')));
    let issued =
        words.filter(|word| word.len() >= TOKEN_LENGTH_MIN).find_map(|word| issuer_of(word).map(Kind::Token).or_else(|| is_jwt(word).then_some(Kind::Jwt)));
    issued.or_else(|| has_password_in_address(value).then_some(Kind::Address))
}

// ---- names

/// What the end of a name says the value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// Something that a person chose: digits alone may be it.
    Password,
    /// Something that a machine made: numbers are settings.
    Key,
}

/// Words after the head that do not change what the value is.
const QUALIFIERS: [&str; 22] = [
    "value",
    "prod",
    "production",
    "staging",
    "stage",
    "dev",
    "development",
    "test",
    "old",
    "new",
    "previous",
    "current",
    "default",
    "primary",
    "secondary",
    "base64",
    "b64",
    "plain",
    "plaintext",
    "text",
    "string",
    "raw",
];

/// One word at the end of a name, or the end of one: `PGPASSWORD`.
const PASSWORD_ENDS: [&str; 4] = ["password", "passwords", "passwd", "passphrase"];
const KEY_ENDS: [&str; 10] = ["token", "secret", "apikey", "apitoken", "secretkey", "accesskey", "privatekey", "credential", "credentials", "passkey"];

/// What makes a `key` a secret one; a `PUBLIC_KEY`, a `PARTITION_KEY` and a `CACHE_KEY` are none.
const KEY_QUALITIES: [&str; 15] =
    ["api", "access", "secret", "private", "encryption", "signing", "signature", "master", "account", "auth", "shared", "hmac", "jwt", "deploy", "session"];

/// What makes a `secret` the name of a Secret object.
const OBJECT_QUALITIES: [&str; 8] = ["tls", "pull", "cert", "certificate", "ca", "kube", "kubernetes", "k8s"];

/// Words that make a name say what is done about credentials: `MYSQL_ALLOW_EMPTY_PASSWORD`.
const MANNERS: [&str; 12] = ["allow", "disable", "empty", "enable", "generate", "has", "is", "random", "require", "skip", "use", "with"];

fn head(words: &[String]) -> Option<Head> {
    if words.iter().any(|word| MANNERS.contains(&word.as_str())) {
        return None;
    }
    let mut rest = words;
    while let Some((last, before)) = rest.split_last() {
        let numbered = last.trim_start_matches('v').bytes().all(|byte| byte.is_ascii_digit());
        if !(numbered || QUALIFIERS.contains(&last.as_str())) {
            break;
        }
        rest = before;
    }
    let (last, before) = rest.split_last()?;
    let last = last.as_str();
    let quality = before.last().map_or("", String::as_str);
    if PASSWORD_ENDS.iter().any(|end| last.ends_with(end)) || matches!(last, "pass" | "passcode") {
        return Some(Head::Password);
    }
    // `PWD` and `OLDPWD` are the shell's working directories.
    if last.ends_with("pwd") && !(before.is_empty() && matches!(last, "pwd" | "oldpwd")) {
        return Some(Head::Password);
    }
    if last == "secret" && OBJECT_QUALITIES.contains(&quality) {
        return None;
    }
    // Plain `TOKENS` are what language models count.
    let is_secret_key = matches!(last, "key" | "keys" | "tokens") && KEY_QUALITIES.contains(&quality);
    let is_key_base = last == "base" && quality == "key" && before.iter().any(|word| word == "secret");
    (is_secret_key || is_key_base || KEY_ENDS.iter().any(|end| last.ends_with(end))).then_some(Head::Key)
}

/// The words of a name in lower case: `dbPassword`, `DB_PASSWORD` and `db.password` have the same.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut found: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at)).copied().unwrap_or(' ');
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        // A hump starts a word, and so does the last capital of an acronym: `APIKey`.
        let hump = letter.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && after.is_lowercase()));
        if (hump || !letter.is_alphanumeric()) && !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

// ---- values

/// Whether `value` is the credential itself and not a switch, a number, a reference or a hole to be filled in.
fn is_literal(value: &str, head: Head) -> bool {
    let value = value.trim();
    let is_none = value.is_empty() || is_reference(value) || is_blank(value) || is_switch(value) || is_path(value) || value.contains("://");
    !is_none && value.chars().any(char::is_alphanumeric) && (head == Head::Password || !is_quantity(value))
}

fn is_switch(value: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "enabled", "disabled", "enable", "disable", "none", "null", "nil", "required", "optional"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A number with or without a unit: `3600`, `15m`, `0.5`, `64Mi`.
fn is_quantity(value: &str) -> bool {
    let digits = value.trim_start_matches(['-', '+']);
    let unit = digits.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    unit.len() < digits.len() && unit.len() <= 2 && unit.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A file that holds the credential. A key in base64 may begin with a slash too, but neither with a directory that every
/// system has, nor does it end like a file, nor is it without capitals.
fn is_path(value: &str) -> bool {
    let directories = ["dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "secrets", "srv", "tmp", "usr", "var", "vault"];
    let Some(rest) = value.strip_prefix('/') else {
        return value.starts_with("./") || value.starts_with("~/") || value.get(1..3) == Some(":\\");
    };
    let is_known = rest.split('/').next().is_some_and(|first| directories.contains(&first));
    let has_extension = rest.rsplit_once('.').is_some_and(|(_, end)| (1..=5).contains(&end.len()) && end.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let is_plain = rest.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'/' | b'-' | b'_'));
    is_known || has_extension || is_plain
}

/// A value that names where the credential is, that somebody else will put it in, or that is encrypted.
fn is_reference(value: &str) -> bool {
    let prefixes = [
        "vault:",
        "ref+",
        "op://",
        "arn:",
        "projects/",
        "@microsoft.keyvault(",
        "ssm:",
        "secretsmanager:",
        "secretref:",
        "file:",
        "env:",
        "enc[",
        "enc(",
        "{cipher}",
    ];
    let lower = value.to_ascii_lowercase();
    let is_variable = value
        .strip_prefix('$')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'));
    is_variable
        || ["$(", "${", "{{"].iter().any(|mark| value.contains(mark))
        || prefixes.iter().any(|prefix| lower.starts_with(prefix))
        || (value.starts_with('%') && value.ends_with('%') && value.len() > 2)
}

/// A hole that was never filled in and that nobody could log in with. `changeme` and `password` are none: programs start
/// with them, and attackers try them first.
fn is_blank(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let masked = lower.chars().all(|letter| matches!(letter, 'x' | '*' | '.' | '-' | '_' | '?' | '•'));
    let said = ["redacted", "placeholder", "todo", "tbd", "n/a", "unset", "unused"].contains(&lower.trim_matches(['<', '>', '[', ']', '(', ')']));
    let asked = lower.starts_with("your-")
        || lower.starts_with("your_")
        || lower.starts_with("replace-")
        || lower.starts_with("replace_")
        || lower.starts_with("insert-");
    masked || said || asked || (lower.starts_with('<') && lower.ends_with('>'))
}

fn has_private_key(value: &str) -> bool {
    value.split("-----BEGIN ").skip(1).any(|rest| rest.split("-----").next().is_some_and(|label| label.ends_with("PRIVATE KEY") && label.len() <= 32))
}

/// No issuer makes shorter tokens.
const TOKEN_LENGTH_MIN: usize = 16;

/// Formats of tokens: how they begin, how many characters follow at least, and who issues them.
const ISSUED: [(&str, usize, &str); 29] = [
    ("AKIA", 16, "AWS"),
    ("ASIA", 16, "AWS"),
    ("AIza", 35, "Google"),
    ("GOCSPX-", 24, "Google"),
    ("ya29.", 20, "Google"),
    ("ghp_", 36, "GitHub"),
    ("gho_", 36, "GitHub"),
    ("ghu_", 36, "GitHub"),
    ("ghs_", 36, "GitHub"),
    ("ghr_", 36, "GitHub"),
    ("github_pat_", 22, "GitHub"),
    ("glpat-", 20, "GitLab"),
    ("gldt-", 20, "GitLab"),
    ("glrt-", 20, "GitLab"),
    ("xoxb-", 20, "Slack"),
    ("xoxp-", 20, "Slack"),
    ("xoxa-", 20, "Slack"),
    ("xoxr-", 20, "Slack"),
    ("xoxs-", 20, "Slack"),
    ("xapp-", 20, "Slack"),
    ("sk_live_", 16, "Stripe"),
    ("rk_live_", 16, "Stripe"),
    ("npm_", 36, "npm"),
    ("pypi-AgEI", 40, "PyPI"),
    ("dckr_pat_", 20, "Docker"),
    ("dop_v1_", 64, "DigitalOcean"),
    ("hvs.", 24, "Vault"),
    ("SG.", 60, "SendGrid"),
    ("hf_", 34, "Hugging Face"),
];

fn issuer_of(word: &str) -> Option<&'static str> {
    let (rest, issuer) =
        ISSUED.iter().find_map(|&(prefix, length, issuer)| word.strip_prefix(prefix).filter(|rest| rest.len() >= length).map(|rest| (rest, issuer)))?;
    // The identifiers of AWS have one length and no small letters, so that `AKIA` inside a longer word is none.
    let well_formed = issuer != "AWS" || (rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    let has_entropy = rest.bytes().collect::<std::collections::BTreeSet<_>>().len() >= 6;
    (well_formed && has_entropy && !rest.ends_with("EXAMPLE")).then_some(issuer)
}

/// Three parts of base64url, the first of which is a JSON object.
fn is_jwt(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    matches!(parts.as_slice(), [header, claims, signature] if header.starts_with("eyJ") && claims.starts_with("eyJ") && [header, claims, signature].iter().all(|part| part.len() >= 10))
}

/// `scheme://user:password@host`, `…?password=…`, `…;Password=…` and `host=… password=…`.
fn has_password_in_address(value: &str) -> bool {
    let in_authority = value.split("://").skip(1).any(|rest| {
        let authority = rest.split(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '?' | '#' | '"' | '\'' | ',' | '`')).next().unwrap_or("");
        authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).is_some_and(|(_, password)| is_real(password))
    });
    in_authority || value.lines().any(has_password_in_parameters)
}

fn has_password_in_parameters(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let is_address = lower.contains("://") || ["host=", "server=", "data source=", "accountname=", "endpoint=sb:"].iter().any(|mark| lower.contains(mark));
    is_address
        && line.split(['?', '&', ';', ' ']).filter_map(|part| part.split_once('=')).any(|(key, password)| {
            let secret = ["password", "passwd", "pwd", "accountkey", "sharedaccesskey"].iter().any(|name| key.trim().eq_ignore_ascii_case(name));
            secret && is_real(password.trim_matches(['"', '\'']))
        })
}

fn is_real(password: &str) -> bool {
    !password.is_empty() && !is_reference(password) && !is_blank(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_word_by_word() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "dbPassword",
            "PGPASSWORD",
            "spring.datasource.password",
            "API_KEY",
            "apiKey",
            "APIKey",
            "SECRET_KEY_BASE",
            "AWS_SECRET_ACCESS_KEY",
            "TOKEN_2",
            "SMTP_PASS",
            "API_TOKENS",
            "DB_PWD",
            "CLIENT_SECRET_PROD",
        ] {
            assert!(head(&words(name)).is_some(), "{name}");
        }
        for name in [
            "PASSWORD_FILE",
            "TOKEN_PATH",
            "SECRET_NAME",
            "TOKEN_URL",
            "TOKEN_TTL",
            "PWD",
            "OLDPWD",
            "BYPASS",
            "COMPASS",
            "PUBLIC_KEY",
            "PARTITION_KEY",
            "TLS_SECRET",
            "IMAGE_PULL_SECRET",
            "TOKENIZER",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "REQUIRE_TOKEN",
            "STOP_TOKENS",
            "KEY",
            "",
            "123",
            "MONKEY",
        ] {
            assert!(head(&words(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn a_literal_under_a_credential_name_counts() {
        for value in ["letmein-blackfriday-23", "changeme", "hunter2", "p@ss w0rd", "/k3+Zq9abcd=="] {
            assert_eq!(looks_like("SMTP_PASSWORD", value), Some(Kind::Named), "{value}");
        }
        assert_eq!(looks_like("ADMIN_PASSWORD", "123456"), Some(Kind::Named));
        for value in [
            "",
            " ",
            "$(DB_PASSWORD)",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{ .Values.password }}",
            "<password>",
            "xxxxxx",
            "REDACTED",
            "true",
            "no",
            "/run/secrets/db",
            "vault:secret/data/db#password",
            "arn:aws:secretsmanager:eu-north-1:1:secret:db",
            "https://vault.example.com/v1/db",
            "ENC[AES256_GCM,data:x]",
        ] {
            assert_eq!(looks_like("SMTP_PASSWORD", value), None, "{value}");
        }
        for value in ["/gcp/key.json", "/shop/password", "C:\\secrets\\db"] {
            assert_eq!(looks_like("DB_CREDENTIALS", value), None, "{value}");
        }
        for value in ["3600", "15m", "4096", "0.5"] {
            assert_eq!(looks_like("API_TOKEN", value), None, "{value}");
        }
        assert_eq!(looks_like("GREETING", "letmein-blackfriday-23"), None);
    }

    #[test]
    fn shapes_count_under_any_name() {
        // Put together here, so that no scanner of repositories takes them for real ones.
        let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        for (value, kind) in [
            (format!("-----BEGIN {} PRIVATE KEY-----\nMIIB\n-----END", "RSA"), Kind::PrivateKey),
            (format!("-----BEGIN {}-----", "PRIVATE KEY"), Kind::PrivateKey),
            (format!("ghp_{body}"), Kind::Token("GitHub")),
            (format!("authorization: {}{body}", "glpat-"), Kind::Token("GitLab")),
            (format!("AKIA{}", "Q3EGRTY7UIOP2ASD"), Kind::Token("AWS")),
            (format!("eyJhbGciOiJ{body}.eyJzdWIiOiJ{body}.{body}"), Kind::Jwt),
            ("amqp://orders:letmein-orders-22@rabbitmq.data.svc:5672/shop".to_owned(), Kind::Address),
            ("jdbc:mysql://db/shop?user=shop&password=hunter2".to_owned(), Kind::Address),
            ("Server=db;User Id=shop;Password=hunter2;".to_owned(), Kind::Address),
            ("host=db user=shop password=hunter2".to_owned(), Kind::Address),
        ] {
            assert_eq!(looks_like("SETTING", &value), Some(kind), "{value}");
        }
        for value in [
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "https://psp.example.net/v3",
            "postgres://app:$(DB_PASSWORD)@db/shop",
            "postgres://app@db/shop",
            "postgres://app:@db/shop",
            "https://shop.example.com/@user:name",
            "orders@shop.example.com",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "-Xmx2g -XX:HeapDumpPath=/opt/catalogue/dumps",
            "password=hunter2",
            "jdbc:postgresql://postgres.data.svc:5432/shop",
        ] {
            assert_eq!(looks_like("SETTING", value), None, "{value}");
        }
    }
}
