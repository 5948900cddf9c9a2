//! Hosts and ports in the texts that configure programs: URLs, `host:port`, and single names where a key says that one stands.
//!
//! What a name means is not known here; a reader with a list of Services decides.

/// The longest text that is looked at: a ConfigMap holds no more.
const TEXT_MAX: usize = 1 << 20;

/// More lines than this are no configuration.
const LINES_MAX: usize = 20_000;

/// The longest name of a host.
const HOST_MAX: usize = 253;

/// A host in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mention {
    /// The scheme of the URL, without what wraps it: `postgresql` of `jdbc:postgresql+ssl://`.
    pub(crate) scheme: Option<String>,
    /// The name or address, in small letters and without the dot at its end.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// Whether a key or a flag says that an address stands here.
    pub(crate) is_announced: bool,
    /// The line in the text, from 1.
    pub(crate) line: usize,
}

/// The hosts in the value of a variable called `key`.
pub(crate) fn in_value(key: &str, value: &str) -> Vec<Mention> {
    if value.lines().nth(1).is_some() {
        return in_text(value);
    }
    let mut found = Vec::new();
    read_words(value, announces(key), 1, &mut found);
    found
}

/// The hosts in the words of a command line, in their order.
pub(crate) fn in_arguments<'t>(arguments: impl Iterator<Item = &'t str>) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut flag: Option<String> = None;
    for argument in arguments.filter(|argument| argument.len() <= TEXT_MAX) {
        if argument.lines().nth(1).is_some() {
            found.extend(in_text(argument));
            flag = None;
            continue;
        }
        for word in argument.split_whitespace() {
            let name = word.trim_start_matches('-');
            let (key, value) = if word.starts_with('-') {
                name.split_once('=').map_or((Some(name), None), |(key, value)| (Some(key), Some(value)))
            } else {
                word.split_once('=').map_or((None, Some(word)), |(key, value)| (Some(key), Some(value)))
            };
            match value {
                None => flag = key.map(str::to_owned),
                Some(value) => {
                    let said = key.map(str::to_owned).or(flag.take());
                    read_words(value, said.as_deref().is_some_and(announces_flag), 1, &mut found);
                    flag = None;
                }
            }
        }
        // `nc redis 6379`: a name and its port are two words.
        let words: Vec<&str> = argument.split_whitespace().collect();
        pairs(&words, &mut found);
    }
    found
}

/// The hosts in a file: one entry a line, with comments.
pub(crate) fn in_text(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    if text.len() > TEXT_MAX {
        return found;
    }
    for (line, number) in text.lines().zip(1..).take(LINES_MAX) {
        let line = line.trim();
        if line.starts_with('#') || line.starts_with(';') || line.starts_with("//") {
            continue;
        }
        let (key, value) = entry(line);
        read_words(value, key.is_some_and(announces), number, &mut found);
        // JSON and flow style hold several entries in a line.
        if let Some(inner) = value.strip_prefix('{') {
            for part in inner.split(',') {
                let (key, value) = entry(part.trim());
                if key.is_some_and(announces) {
                    read_words(value, true, number, &mut found);
                }
            }
        }
    }
    found.sort_by_key(|mention| mention.line);
    found.dedup();
    found
}

/// The key and the value of a line of YAML, TOML, JSON, properties or INI.
fn entry(line: &str) -> (Option<&str>, &str) {
    let line = line.strip_prefix("- ").unwrap_or(line);
    let at = line.char_indices().find(|&(at, letter)| match letter {
        '=' => true,
        // The colon of `http://` and of `host:80` ends no key.
        ':' => line.get(at + 1..).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '"', '{', '['])),
        _ => false,
    });
    let Some((key, value)) = at.and_then(|(at, _)| Some((line.get(..at)?, line.get(at + 1..)?))) else { return (None, line) };
    let key = key.trim().trim_matches(['"', '\'']);
    let is_key = !key.is_empty() && key.len() <= 128 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if is_key { (Some(key), value.trim()) } else { (None, line) }
}

/// Words after which an address stands.
const ANNOUNCING: [&str; 18] = [
    "host",
    "hosts",
    "hostname",
    "addr",
    "addrs",
    "address",
    "addresses",
    "server",
    "servers",
    "endpoint",
    "endpoints",
    "url",
    "urls",
    "uri",
    "dsn",
    "broker",
    "brokers",
    "upstream",
];

/// Whether what has this name is an address.
pub(crate) fn announces(key: &str) -> bool {
    last_word(key).is_some_and(|word| ANNOUNCING.contains(&word.as_str()) || ["host", "hostname", "addr"].iter().any(|ending| word.ends_with(ending)))
}

fn announces_flag(flag: &str) -> bool {
    flag == "h" || announces(flag)
}

/// The last word of `DATABASE_HOST`, `database.host`, `databaseHost`.
fn last_word(key: &str) -> Option<String> {
    let last = key.rsplit(|letter: char| !letter.is_ascii_alphanumeric()).find(|part| !part.is_empty())?;
    let has_small = last.bytes().any(|byte| byte.is_ascii_lowercase());
    let start = if has_small { last.rfind(|letter: char| letter.is_ascii_uppercase()).unwrap_or(0) } else { 0 };
    let word = last.get(start..)?.to_ascii_lowercase();
    // `databaseURL` ends in three capitals.
    let whole = last.to_ascii_lowercase();
    let ending = ANNOUNCING.iter().find(|ending| has_small && whole.ends_with(*ending) && last.ends_with(&ending.to_ascii_uppercase()));
    Some(ending.map_or(word, |ending| (*ending).to_owned()))
}

/// What separates addresses in a value.
fn separates(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, ',' | ';' | '"' | '\'' | '`' | '(' | ')' | '{' | '}' | '<' | '>' | '|' | '=' | '\\')
}

fn read_words(value: &str, is_announced: bool, line: usize, found: &mut Vec<Mention>) {
    if value.len() > TEXT_MAX {
        return;
    }
    let mut scheme = None;
    for word in value.split(separates).filter(|word| !word.is_empty()) {
        if let Some(mention) = read_word(word, is_announced, line, &mut scheme) {
            found.push(mention);
        }
    }
}

/// Reads `[scheme://][user@]host[:port][/path]`. A list shares the scheme of its first address.
fn read_word(word: &str, is_announced: bool, line: usize, scheme: &mut Option<String>) -> Option<Mention> {
    let rest = match word.split_once("://") {
        Some((before, rest)) => {
            let last = before.rsplit(':').next().unwrap_or(before);
            let plain = last.split('+').next().unwrap_or(last);
            *scheme = Some(plain.to_ascii_lowercase()).filter(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            rest
        }
        None => word,
    };
    let own_scheme = word.contains("://");
    let rest = target_of_grpc(word, rest, scheme.as_deref().filter(|_| own_scheme));
    let authority = rest.split(['/', '#', '?']).next().unwrap_or(rest);
    let has_user = authority.contains('@');
    let host_port = authority.rsplit('@').next().unwrap_or(authority);
    let (host, port) = if let Some(inner) = host_port.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        (host, after.strip_prefix(':').map(str::parse::<u16>).transpose().ok()?)
    } else {
        let host_port = host_port.trim_matches(['[', ']']);
        match host_port.split_once(':') {
            None => (host_port, None),
            Some((host, port)) => (host, Some(port.trim_end_matches(['.', ']']).parse::<u16>().ok()?)),
        }
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_host = if host.contains(':') { host.parse::<std::net::Ipv6Addr>().is_ok() } else { is_host_name(&host) };
    // `user@host` without a scheme and a port is somebody's address.
    let is_mail = has_user && !own_scheme && port.is_none();
    // A second path of a list is no host: `/a,/b`.
    let continues = scheme.is_some() && (own_scheme || port.is_some());
    (is_host && !is_mail && port != Some(0)).then(|| Mention { scheme: scheme.clone().filter(|_| continues), host, port, is_announced, line })
}

/// What gRPC calls a target: `dns:///host:port`, where a server of names may stand before the third slash, and `dns:host:port`.
fn target_of_grpc<'w>(word: &'w str, rest: &'w str, scheme: Option<&str>) -> &'w str {
    match scheme {
        Some("dns" | "xds" | "passthrough") => rest.split_once('/').map_or(rest, |(_, target)| target),
        Some(_) => rest,
        None => word.strip_prefix("dns:").filter(|target| target.contains(':')).unwrap_or(rest),
    }
}

/// Whether `host` may be a name in the DNS: labels of letters, digits and dashes.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        label.len() <= 63 && ends(label.bytes().next()) && ends(label.bytes().last()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_named = host.bytes().any(|byte| byte.is_ascii_alphabetic()) || host.parse::<std::net::Ipv4Addr>().is_ok();
    host.len() <= HOST_MAX && is_named && host.split('.').all(is_label)
}

fn pairs(words: &[&str], found: &mut Vec<Mention>) {
    for pair in words.windows(2) {
        let [host, port] = pair else { continue };
        let port = port.trim_end_matches(';');
        if let (true, Ok(port)) = (is_host_name(host), port.parse::<u16>())
            && port != 0
        {
            found.push(Mention { scheme: None, host: host.to_ascii_lowercase(), port: Some(port), is_announced: false, line: 1 });
        }
    }
}

/// The transport and port to which a scheme leads where no port is written.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "postgres" | "postgresql" | "pgsql" => 5432,
        "mysql" | "mariadb" => 3306,
        "sqlserver" | "mssql" => 1433,
        "mongodb" => 27017,
        "redis" | "rediss" | "valkey" => 6379,
        "memcached" | "memcache" => 11211,
        "amqp" => 5672,
        "amqps" => 5671,
        "kafka" => 9092,
        "nats" => 4222,
        "mqtt" => 1883,
        "mqtts" => 8883,
        "ldap" => 389,
        "ldaps" => 636,
        "smtp" => 25,
        "smtps" => 465,
        "ssh" | "sftp" | "scp" => 22,
        "ftp" => 21,
        "cassandra" => 9042,
        "clickhouse" => 9000,
        "zookeeper" | "zk" => 2181,
        "etcd" => 2379,
        "bolt" | "neo4j" => 7687,
        _ => return None,
    })
}

/// Whether URLs of this scheme lead over the network to the host that they name.
pub(crate) fn leads_to_host(scheme: &str) -> bool {
    !matches!(scheme, "file" | "unix" | "s3" | "gs" | "gcs" | "abfs" | "abfss" | "classpath" | "jar" | "data" | "mem" | "memory" | "vault" | "docker" | "oci")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mentions: &[Mention]) -> Vec<String> {
        let one = |mention: &Mention| {
            let scheme = mention.scheme.as_ref().map_or_else(String::new, |scheme| format!("{scheme} "));
            let port = mention.port.map_or_else(String::new, |port| format!(" {port}"));
            format!("{scheme}{}{port}{}", mention.host, if mention.is_announced { " !" } else { "" })
        };
        mentions.iter().map(one).collect()
    }

    #[test]
    fn addresses_are_found_in_values() {
        for (key, value, expected) in [
            ("CART_URL", "http://cart.shop.svc:8080/x?y=1", vec!["http cart.shop.svc 8080 !"]),
            ("DATABASE_URL", "jdbc:postgresql://postgres.data.svc:5432/shop", vec!["postgresql postgres.data.svc 5432 !"]),
            ("X", "amqp://orders:secret@rabbitmq.data.svc:5672/shop", vec!["amqp rabbitmq.data.svc 5672"]),
            ("BROKERS", "a:9092,b.kafka:9093", vec!["a 9092 !", "b.kafka 9093 !"]),
            ("X", "mongodb://u:p@m-0.m:27017,m-1.m:27017/db", vec!["mongodb m-0.m 27017", "mongodb m-1.m 27017"]),
            ("DSN", "user:pw@tcp(db:3306)/shop", vec!["db 3306 !"]),
            ("PGHOST", "Postgres.Data.SVC.", vec!["postgres.data.svc !"]),
            ("X", "postgresql+asyncpg://db/x", vec!["postgresql db"]),
            ("SMTP_USER", "orders@shop.example.com", vec![]),
            ("X", "http://[fd00::1]:8080/", vec!["http fd00::1 8080"]),
            ("X", "dns:///api.shop.svc:9090", vec!["dns api.shop.svc 9090"]),
            ("X", "dns://10.96.0.10/api:9090", vec!["dns api 9090"]),
            ("X", "dns:api:9090", vec!["api 9090"]),
            ("X", "dns:53", vec!["dns 53"]),
            ("X", "xds:///api:9090", vec!["xds api 9090"]),
            ("X", "busybox:1.37.0", vec![]),
            ("X", ":9252", vec![]),
        ] {
            assert_eq!(told(&in_value(key, value)), expected, "{key}={value}");
        }
    }

    #[test]
    fn keys_announce_addresses() {
        for key in ["PGHOST", "REDIS_ADDR", "db.host", "databaseHost", "databaseURL", "--redis-address", "brokers"] {
            assert!(announces(key), "{key}");
        }
        for key in ["QUEUE_USER", "address_type", "HOST_NAME", "LEASE_NAME", "curl", ""] {
            assert!(!announces(key), "{key}");
        }
    }

    #[test]
    fn command_lines_announce_by_flags() {
        let arguments = |words: &[&str]| told(&in_arguments(words.iter().copied()));
        assert_eq!(arguments(&["--redis-host=redis", "--level", "debug"]), ["redis !", "debug"]);
        assert_eq!(arguments(&["psql", "-h", "postgres", "-p", "5432"]), ["psql", "postgres !"]);
        assert_eq!(arguments(&["sh", "-c", "until nc -z redis 6379; do sleep 1; done"]).iter().filter(|told| *told == "redis 6379").count(), 1);
        assert_eq!(arguments(&["--upload", "sftp://transfer.bank.example.net/in"]), ["sftp transfer.bank.example.net"]);
    }

    #[test]
    fn files_have_entries_and_comments() {
        let text = "# http://comment.example.com\n[database]\naddress = \"postgres.data.svc:5432\"\nname = \"payment\"\nurl: https://psp.example.net/v3\n";
        let found = in_text(text);
        let announced: Vec<_> = found.iter().filter(|mention| mention.is_announced || mention.scheme.is_some()).cloned().collect();
        assert_eq!(told(&announced), ["postgres.data.svc 5432 !", "https psp.example.net !"]);
        assert_eq!(announced.iter().map(|mention| mention.line).collect::<Vec<_>>(), [3, 5]);
    }
}
