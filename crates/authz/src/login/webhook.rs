//! A webhook that the API server asks about tokens it does not know.

use bartizan_cluster::Value;

use super::Place;
use super::fault::{Judgement, fault};
use super::ground::{Configured, Flags, Ground};
use super::kubeconfig::is_insecure;
use super::{Login, Mechanism, Section, State, UnseenFact};

/// What the server caches answers for, in seconds, unless it is told otherwise.
const CACHE_SECONDS: u64 = 120;
const CACHE_SECONDS_MAX: u64 = 600;

fault!(
    OLD_VERSION,
    "webhook-token-v1beta1",
    Low,
    ("webhook for tokens is asked in the version `v1beta1`", "令牌 webhook 使用 `v1beta1` 版本"),
    ("That is the default, and the API of that version is gone since 1.22.", "这是默认值，而该版本的 API 自 1.22 起已被移除。"),
    ("set `--authentication-token-webhook-version=v1`", "设置 `--authentication-token-webhook-version=v1`"),
);

fault!(
    LONG_CACHE,
    "webhook-token-long-cache",
    Medium,
    ("answers of the webhook for tokens are kept for {duration}", "令牌 webhook 的应答会缓存 {duration}"),
    ("A token that was taken back still lets in for so long.", "已被吊销的令牌在此期间仍可登录。"),
    ("set `--authentication-token-webhook-cache-ttl` to two minutes or less", "将 `--authentication-token-webhook-cache-ttl` 设为两分钟或更短"),
);

fault!(
    INSECURE,
    "webhook-token-insecure",
    Critical,
    ("webhook for tokens is asked at `{server}` {how}", "向 `{server}` 查询令牌 webhook，方式为：{how}"),
    ("Whoever stands between sees every token, and can answer that its bearer is administrator.", "中间人能看到所有令牌，并能应答说持有者是管理员。"),
    (
        "use `https` and `certificate-authority`, without `insecure-skip-tls-verify`",
        "使用 `https` 与 `certificate-authority`，不要设置 `insecure-skip-tls-verify`"
    ),
);

pub(super) static FAULTS: [&super::Fault; 3] = [&OLD_VERSION, &LONG_CACHE, &INSECURE];

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::Webhook);
    section.needs_server(ground);
    let mut is_on = false;
    for server in &ground.servers {
        let Some(file) = server.value("authentication-token-webhook-config-file").filter(|value| !value.text.is_empty()) else { continue };
        is_on = true;
        let config = ground.configuration_at(server, &file.text, "Config");
        if let Err(unseen) = &config {
            section.unseen.push(UnseenFact::file(&file.text, unseen));
        }
        section.logins.push(of_server(server, &file.text, file.place, config.ok()));
    }
    section.state = match (is_on, ground.servers.is_empty()) {
        (true, _) => State::On,
        (false, false) => State::Off,
        (false, true) => State::Unknown,
    };
    section
}

fn of_server(server: &Flags<'_>, file: &str, place: Place, config: Option<Configured<'_>>) -> Login {
    let version = server.value("authentication-token-webhook-version").map_or_else(|| "v1beta1".to_owned(), |value| value.text);
    let cache = server.value("authentication-token-webhook-cache-ttl");
    let seconds = cache.as_ref().map_or(Some(CACHE_SECONDS), |value| seconds(&value.text));
    let mut found = Vec::new();
    if version == "v1beta1" {
        found.push(Judgement::new(&OLD_VERSION, []));
    }
    if let Some(value) = cache.filter(|_| seconds.is_some_and(|seconds| seconds > CACHE_SECONDS_MAX)) {
        found.push(Judgement::new(&LONG_CACHE, [("duration", value.text)]).at(value.place));
    }
    let mut addresses = Vec::new();
    if let Some(config) = config {
        for cluster in config.view.root().entry("clusters").into_iter().flat_map(Value::items).filter_map(|entry| entry.entry("cluster")) {
            let address = cluster.entry("server").and_then(Value::as_str).unwrap_or("");
            addresses.push(address.to_owned());
            if let Some(how) = is_insecure(cluster) {
                let place = Place::of(config.snapshot, config.view, cluster);
                found.push(Judgement::new(&INSECURE, [("server", address.to_owned()), ("how", how.to_owned())]).at(place));
            }
        }
    }
    Login::new("webhook for tokens", place)
        .fact("file", file)
        .fact("version", version)
        .fact_if("cacheSeconds", seconds)
        .fact_if("servers", Some(addresses).filter(|addresses| !addresses.is_empty()))
        .judged(found)
}

/// The whole seconds of a duration as Go writes it: `2m`, `1h30m`, `90s`.
pub fn seconds(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut total = 0f64;
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let length = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))?;
        let (number, after) = rest.split_at_checked(length)?;
        let unit_length = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, behind) = after.split_at_checked(unit_length)?;
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = behind;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates, and the sum is not negative")]
    Some(total as u64)
}
