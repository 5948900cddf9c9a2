//! What can be wrong with certificates, and with those who use them.

use bartizan_report::fault;
use bartizan_report::fault::Fault;

fault!(
    AUTHORITY_EXPIRED,
    "authority-expired",
    High,
    ("no authority here is valid any more; the last one, `{subject}`, ended at {expires}", "此处已没有仍然有效的 CA；最后一个 `{subject}` 已于 {expires} 到期"),
    ("Whoever checks certificates against this bundle refuses every one of them.", "用这组 CA 校验证书的程序会拒绝所有证书。"),
    ("put the renewed authority there before the certificates that it signs", "先放入更新后的 CA，再更换由它签发的证书"),
);
fault!(
    AUTHORITY_ENDS_SOON,
    "authority-expires-soon",
    Medium,
    ("authority `{subject}` ends in {days} days, at {expires}", "CA `{subject}` 将在 {days} 天后（{expires}）到期"),
    ("With it end all certificates that it signed, whatever they say themselves.", "届时由它签发的所有证书都会失效，无论证书自身写的有效期如何。"),
    ("distribute the next authority beside this one, then renew what this one signed", "先与现有 CA 并列分发新的 CA，再更新由旧 CA 签发的证书"),
);
fault!(
    MEMBER_EXPIRED,
    "bundle-member-expired",
    Low,
    ("authority `{subject}` ended at {expires}", "CA `{subject}` 已于 {expires} 到期"),
    (
        "Others beside it are still valid, so nothing fails; it only hides which ones count.",
        "同一组中还有有效的 CA，因此不会出错；但它会让人看不清哪些仍然有效。"
    ),
    ("take it out of the bundle", "将其移出证书组"),
);
fault!(
    MEMBER_IS_NO_AUTHORITY,
    "bundle-member-not-an-authority",
    Low,
    ("`{subject}` stands among authorities and was signed by somebody else", "`{subject}` 位于 CA 列表中，但它是由他人签发的普通证书"),
    ("It vouches for nothing but itself, and must be exchanged here whenever it is renewed.", "它只能为自己作证，每次更新时都必须同时更换这里的内容。"),
    ("put the authority there that signed it", "换成签发它的 CA"),
);
fault!(
    BUNDLE_SIGNS_NOT,
    "ca-bundle-does-not-sign",
    High,
    (
        "the bundle does not hold the authority that signed what `{service}` shows: certificate of {secret}, issuer `{issuer}`",
        "证书组中没有签发 `{service}` 所用证书的 CA：{secret} 中的证书，颁发者 `{issuer}`"
    ),
    (
        "Whoever calls it with this bundle cannot verify it, and every call fails: a webhook then blocks or lets through everything, as its failurePolicy says, and a gateway answers with an error.",
        "使用此证书组的调用者无法校验它，所有调用都会失败：webhook 将按 failurePolicy 拒绝或放行一切请求，网关则返回错误。"
    ),
    (
        "let the bundle be injected by whoever issues the certificate, or copy the authority of that Secret there",
        "由签发证书的程序注入证书组，或将该 Secret 的 CA 复制过来"
    ),
);
fault!(
    BUNDLE_MISSING,
    "ca-bundle-missing",
    Medium,
    ("there is no `caBundle`, so the certificate of `{service}` must come from a public authority", "没有 `caBundle`，`{service}` 的证书必须由公共 CA 签发"),
    (
        "No public authority signs names that end in `.svc`: the API server will not be able to call it.",
        "公共 CA 不会签发以 `.svc` 结尾的名字：API server 将无法调用它。"
    ),
    ("write the authority of the service's certificate there, or let it be injected", "写入签发该服务证书的 CA，或使其被自动注入"),
);
fault!(
    BUNDLE_UNREADABLE,
    "ca-bundle-unreadable",
    High,
    ("there is no certificate in the bundle that can be read", "证书组中没有可以读取的证书"),
    ("Nothing can be verified with it, so every call over TLS fails.", "无法用它校验任何证书，因此所有 TLS 调用都会失败。"),
    ("write the authority there: Base64 of PEM", "写入 CA：PEM 的 Base64"),
);
fault!(
    AUTHORITY_SERVES,
    "authority-as-server",
    Medium,
    ("`{subject}` is shown to clients and may sign other certificates (CA:TRUE)", "`{subject}` 被直接出示给客户端，却可以签发其他证书（CA:TRUE）"),
    (
        "Clients are told to trust it, and whoever steals this key from the server can then sign certificates for any name.",
        "客户端被要求信任它；从服务器上窃取该私钥的人就能为任意名字签发证书。"
    ),
    ("keep the authority away from servers, and sign a certificate with CA:FALSE with it", "将 CA 与服务器分开保存，并用它签发 CA:FALSE 的证书"),
);
fault!(
    MAY_NOT_SIGN,
    "authority-may-not-sign",
    High,
    (
        "`{authority}` signed `{subject}` and may not sign certificates of servers: it lacks `{lack}`",
        "`{authority}` 签发了 `{subject}`，但它无权签发服务器证书：缺少 `{lack}`"
    ),
    ("Clients refuse what was signed by somebody who may not.", "客户端会拒绝由无权者签发的证书。"),
    ("sign with an authority whose extensions allow it", "改用扩展允许签发的 CA"),
);
fault!(
    PATH_TOO_LONG,
    "authority-path-too-long",
    High,
    (
        "`{authority}` allows {allowed} authorities between itself and a server, and before `{subject}` there are {found}",
        "`{authority}` 只允许在它与服务器证书之间有 {allowed} 个 CA，而 `{subject}` 之前有 {found} 个"
    ),
    ("Clients count them and refuse the certificate.", "客户端会计数并拒绝该证书。"),
    ("sign nearer to that authority, or issue it with a larger `pathLen`", "由更靠近该 CA 的一级签发，或以更大的 `pathLen` 重新签发它"),
);
fault!(
    NAME_FORBIDDEN,
    "authority-forbids-name",
    High,
    ("`{authority}` does not let `{name}` be certified, which `{subject}` is for", "`{authority}` 不允许签发 `{name}`，而 `{subject}` 正是用于它"),
    (
        "Clients hold every name of a certificate against the name constraints of all authorities above it, and refuse it for one that does not fit.",
        "客户端会用上级所有 CA 的名称约束核对证书中的每个名字，有一个不符便拒绝。"
    ),
    ("leave that name out, or let another authority sign it", "去掉该名字，或由其他 CA 签发"),
);
fault!(
    BESIDE_OTHER_KEY,
    "authority-beside-did-not-sign",
    Medium,
    (
        "`{key}` beside it holds an authority of the name `{issuer}`, with another key than the one that signed `{subject}`",
        "旁边的 `{key}` 中有名为 `{issuer}` 的 CA，但它的密钥不是签发 `{subject}` 的那一个"
    ),
    (
        "Whoever takes that authority to check this certificate refuses it. Often one of the two was made anew under the old name.",
        "用该 CA 校验此证书的程序会拒绝它。通常是其中之一以旧名字重新生成。"
    ),
    ("write the authority there that signed the certificate", "写入签发该证书的 CA"),
);
fault!(
    AUTHORITIES_MISSING,
    "authorities-missing",
    High,
    ("{bundle} does not exist", "{bundle} 不存在"),
    (
        "Without it a gateway cannot verify what is behind: it answers with an error, and must not go on in plaintext.",
        "没有它，网关无法校验后端：只能返回错误，且不得改用明文。"
    ),
    ("create it with the authority as `ca.crt`, or name one that exists", "以 `ca.crt` 写入 CA 来创建它，或引用已存在的对象"),
);
fault!(
    CLIENT_AUTHORITIES_MISSING,
    "client-authorities-missing",
    High,
    (
        "{secret} holds no authority by which clients could prove who they are (`cacert` or `ca.crt`)",
        "{secret} 中没有可用于校验客户端的 CA（`cacert` 或 `ca.crt`）"
    ),
    (
        "The server asks its clients for certificates and has nothing to verify them by: nobody gets in.",
        "服务器要求客户端出示证书，却没有可用于校验的内容：谁也无法连接。"
    ),
    (
        "write the authority of the clients under `cacert` (or `ca.crt`), into that Secret or into one of its name with `-cacert`",
        "把签发客户端证书的 CA 以 `cacert`（或 `ca.crt`）写入该 Secret，或写入名称加 `-cacert` 的 Secret"
    ),
);
fault!(
    LISTENERS_NOT_ALLOWED,
    "listeners-not-allowed",
    Medium,
    (
        "Gateway {gateway} lets no listeners of `{namespace}` in (`allowedListeners`)",
        "Gateway {gateway} 不接纳来自 `{namespace}` 的监听器（`allowedListeners`）"
    ),
    ("The listeners are not programmed: there is no TLS, and no service.", "监听器不会生效：没有 TLS，也没有服务。"),
    ("let the Gateway allow the namespace, or write the listeners into the Gateway", "让 Gateway 接纳该命名空间，或把监听器写入 Gateway"),
);
fault!(
    BUNDLE_OTHER_KEY,
    "ca-bundle-other-key",
    High,
    (
        "the bundle holds an authority of the name `{issuer}`, with another key than the one that signed what `{service}` shows: certificate of {secret}",
        "证书组中有名为 `{issuer}` 的 CA，但它的密钥没有签发 `{service}` 所用的证书（{secret}）"
    ),
    (
        "Names are equal and the signature is wrong, so every call fails. Often the authority was made anew under the old name and the bundle was not.",
        "名字相同而签名不符，因此所有调用都会失败。通常是 CA 以旧名字重新生成，而证书组没有更新。"
    ),
    ("copy the authority of that Secret into the bundle, or let it be injected", "将该 Secret 的 CA 复制到证书组，或使其被自动注入"),
);
fault!(
    BUNDLE_SIGNER_OVER,
    "ca-bundle-signer-not-valid",
    High,
    (
        "`{authority}`, over which what `{service}` shows is traced, is valid from {begins} to {expires}: certificate of {secret}",
        "校验 `{service}` 所用证书（{secret}）时经过的 `{authority}` 有效期为 {begins} 至 {expires}"
    ),
    ("Others in the bundle are valid, but none of them signed it: every call fails.", "证书组中还有有效的 CA，但都没有签发它：所有调用都会失败。"),
    ("renew that authority, sign the certificate anew, and put the authority into the bundle", "更新该 CA，重新签发证书，并将其放入证书组"),
);
fault!(
    CHAIN_OTHER_KEY,
    "chain-signature-wrong",
    High,
    (
        "`{subject}` was not signed with the key of the certificate of `{issuer}` that follows it",
        "`{subject}` 之后虽有名为 `{issuer}` 的证书，但签名并非出自它的密钥"
    ),
    (
        "Clients that trust an authority above cannot trace the certificate to it. Often the issuer was made anew under the old name, or a certificate was changed after it was signed.",
        "信任上级 CA 的客户端无法追溯到它。通常是颁发者以旧名字重新生成，或证书在签发之后被改动。"
    ),
    ("write the certificate of the issuer there that signed it, or issue it anew", "写入真正签发它的颁发者证书，或重新签发"),
);
fault!(
    COMMON_NAME_ONLY,
    "certificate-common-name-only",
    Medium,
    ("`{subject}` names its host in the common name alone", "`{subject}` 仅在通用名中写了主机名"),
    (
        "Clients look at the alternative names and nothing else (RFC 9525): Go, browsers and every component of Kubernetes refuse this certificate.",
        "客户端只看备用名称（RFC 9525）：Go、浏览器和 Kubernetes 的所有组件都会拒绝此证书。"
    ),
    ("issue it with the host as an alternative name", "签发时把主机名写入备用名称"),
);
fault!(
    EXPIRED,
    "certificate-expired",
    Low,
    ("`{subject}` expired at {expires}; nothing in the input is seen to use it", "`{subject}` 已于 {expires} 过期；输入中未见有人使用它"),
    ("What is not renewed is often not used: then its key lies about for nothing.", "不再更新的证书往往已不再使用：其私钥只是白白留在那里。"),
    ("delete it, or renew it if something does use it", "删除它；若仍有人使用则更新它"),
);
fault!(
    SERVED_EXPIRED,
    "served-certificate-expired",
    High,
    ("`{subject}` expired at {expires} and is shown to clients", "`{subject}` 已于 {expires} 过期，却仍出示给客户端"),
    (
        "Clients refuse it. Those that do not have been taught to accept anything, which is what an attacker in between needs.",
        "客户端会拒绝它；而不拒绝的客户端已被教会接受一切，这正是中间人攻击者所需要的。"
    ),
    ("renew it, and let something renew it in time from now on", "更新它，并从此由程序按时更新"),
);
fault!(
    ENDS_SOON,
    "certificate-expires-soon",
    Medium,
    ("`{subject}` expires in {days} days, at {expires}", "`{subject}` 将在 {days} 天后（{expires}）过期"),
    ("Clients refuse it from then on.", "届时客户端将拒绝它。"),
    ("renew it; if something should have done so by itself, find out why it did not", "更新它；若本应自动更新，请查明原因"),
);
fault!(
    NOT_YET,
    "certificate-not-yet-valid",
    Medium,
    ("`{subject}` is valid only from {begins}", "`{subject}` 自 {begins} 起才有效"),
    ("Until then clients refuse it; often a clock is wrong.", "在此之前客户端会拒绝它；通常是某处时钟有误。"),
    ("check the clock of the issuer", "检查签发方的时钟"),
);
fault!(
    SELF_SIGNED,
    "certificate-self-signed",
    Low,
    ("`{subject}` is shown to clients and vouches for itself", "`{subject}` 被出示给客户端，却只由自己作证"),
    (
        "Clients can verify it only if each of them was given this very certificate; people learn to click warnings away.",
        "只有事先得到该证书的客户端才能校验它；人们会习惯于忽略警告。"
    ),
    ("let an authority sign it that clients know", "由客户端信任的 CA 签发"),
);
fault!(
    STRANGE_CURVE,
    "certificate-unsupported-curve",
    Medium,
    ("`{subject}` has a key on the curve {curve}", "`{subject}` 的密钥使用曲线 {curve}"),
    ("Neither Go nor browsers know this curve: connections fail.", "Go 与浏览器都不支持此曲线：连接会失败。"),
    ("use P-256 or P-384", "使用 P-256 或 P-384"),
);
fault!(
    WEAK_KEY,
    "certificate-weak-key",
    High,
    ("`{subject}` has a key of {key}", "`{subject}` 的密钥为 {key}"),
    ("A key of this size can be computed from the certificate.", "这种长度的密钥可以由证书推算出来。"),
    ("make a new key: RSA with 2048 bits or more, or EC P-256", "生成新密钥：2048 位以上的 RSA，或 EC P-256"),
);
fault!(
    WEAK_SIGNATURE,
    "certificate-weak-signature",
    Medium,
    ("`{subject}` is signed with {signature}", "`{subject}` 使用 {signature} 签名"),
    ("Such signatures can be forged; current clients refuse them.", "此类签名可被伪造，当前的客户端也会拒绝。"),
    ("sign with SHA-256 or better", "使用 SHA-256 或更强的算法签名"),
);
fault!(
    CHAIN_BROKEN,
    "chain-broken",
    Medium,
    ("`{subject}` was signed by `{issuer}`, which does not follow it; `{next}` does", "`{subject}` 由 `{issuer}` 签发，但其后并不是它，而是 `{next}`"),
    ("Clients that know only the root cannot find the way to it.", "只知道根证书的客户端无法找到通往根证书的路径。"),
    ("write the certificate, then the authority that signed it, then the one that signed that", "依次写入证书、签发它的 CA、再上一级 CA"),
);
fault!(
    CHAIN_ENDS_EARLIER,
    "chain-expires-earlier",
    Medium,
    (
        "`{authority}`, which signed `{subject}`, ends at {expires}, before the certificate does ({until})",
        "签发 `{subject}` 的 `{authority}` 于 {expires} 到期，早于证书自身的 {until}"
    ),
    (
        "The certificate is worth nothing from that moment, and what watches only its own date does not see it coming.",
        "从那一刻起证书便失去效力，而只监视证书自身日期的程序不会察觉。"
    ),
    ("renew the authority, then the certificate", "先更新 CA，再更新证书"),
);
fault!(
    CHAIN_INCOMPLETE,
    "chain-incomplete",
    Medium,
    ("the authority `{issuer}`, which another authority signed, is missing behind `{subject}`", "`{subject}` 之后缺少由上级 CA 签发的中间证书 `{issuer}`"),
    (
        "Browsers often find it elsewhere and programs do not: it works for whoever tests it and fails for clients.",
        "浏览器通常能从别处找到它，程序则不能：测试时一切正常，客户端却会失败。"
    ),
    ("append that certificate, which is in {found}", "附上该证书（位于 {found}）"),
);
fault!(
    CHAIN_DISORDERED,
    "chain-out-of-order",
    Medium,
    (
        "the certificates are not in the order of their signatures: `{subject}` stands at place {position}",
        "证书未按签发顺序排列：`{subject}` 位于第 {position} 位"
    ),
    (
        "The certificate of the server comes first, each authority after what it signed. TLS 1.2 demands that, and Go does not load such a pair.",
        "服务器证书在最前，每个 CA 位于其签发的证书之后。TLS 1.2 如此要求，Go 也不会加载这样的证书对。"
    ),
    ("write the certificate, then the authority that signed it, then the one that signed that", "依次写入证书、签发它的 CA、再上一级 CA"),
);
fault!(
    HOST_NOT_COVERED,
    "host-not-covered",
    High,
    ("the certificate of {secret} is not for `{host}`; it is for {names}", "{secret} 中的证书不适用于 `{host}`，只适用于 {names}"),
    (
        "Clients refuse the connection; some controllers show a certificate of their own instead, which nobody knows.",
        "客户端会拒绝连接；有些控制器会改用无人认识的自带证书。"
    ),
    ("issue the certificate for that host, or name the Secret that has it", "为该主机签发证书，或引用包含它的 Secret"),
);
fault!(
    KEY_ENCRYPTED,
    "key-encrypted",
    Medium,
    ("the private key is protected by a passphrase", "私钥受密码保护"),
    ("Nothing in a cluster asks for passphrases: no controller can load it.", "集群中没有程序会询问密码：控制器无法加载它。"),
    ("write the key without a passphrase; the Secret is what guards it", "写入不带密码的私钥；由 Secret 来保护它"),
);
fault!(
    KEY_MISMATCH,
    "key-mismatch",
    High,
    ("the private key does not belong to `{subject}`", "私钥与 `{subject}` 不匹配"),
    ("No server can load the pair. Often one half was renewed and the other was not.", "任何服务器都无法加载这一对文件。通常是只更新了其中一半。"),
    ("write certificate and key of the same issue", "写入同一次签发的证书与私钥"),
);
fault!(
    KEY_SHARED,
    "key-shared",
    Medium,
    ("the same private key is in {count} Secrets: {secrets}", "同一私钥存在于 {count} 个 Secret 中：{secrets}"),
    (
        "Whoever may read one of them can pretend to be all of them, and all must be exchanged when one is lost.",
        "能读取其中任何一个的人都可以冒充全部；其中一个丢失，就必须全部更换。"
    ),
    ("issue a certificate with a key of its own in each namespace", "在每个命名空间分别签发带独立私钥的证书"),
);
fault!(
    NOT_GRANTED,
    "reference-not-granted",
    High,
    (
        "{secret} is in another namespace, and no ReferenceGrant there lets Gateways of `{namespace}` use it",
        "{secret} 位于另一个命名空间，且那里没有 ReferenceGrant 允许 `{namespace}` 的 Gateway 使用它"
    ),
    ("The listener is not programmed: there is no TLS, and no service.", "监听器不会生效：没有 TLS，也没有服务。"),
    (
        "write a ReferenceGrant for this Secret in its namespace, or keep the certificate beside the Gateway",
        "在该命名空间为此 Secret 编写 ReferenceGrant，或把证书放在 Gateway 旁边"
    ),
);
fault!(
    SECRET_INCOMPLETE,
    "secret-incomplete",
    High,
    ("`{key}` of {secret} holds nothing that a server can use", "{secret} 的 `{key}` 中没有服务器可用的内容"),
    ("Nothing can be served with it.", "无法用它提供服务。"),
    ("write certificate and key as `tls.crt` and `tls.key`", "以 `tls.crt` 和 `tls.key` 写入证书与私钥"),
);
fault!(
    SECRET_MISSING,
    "secret-missing",
    High,
    ("{secret} does not exist", "{secret} 不存在"),
    (
        "There is no certificate for these hosts: clients see one that nobody knows, or no answer.",
        "这些主机没有证书：客户端会看到无人认识的证书，或得不到应答。"
    ),
    ("create the Secret, or name one that exists", "创建该 Secret，或引用已存在的 Secret"),
);
fault!(
    SECRET_OF_WRONG_TYPE,
    "secret-wrong-type",
    Medium,
    ("{secret} has the type `{kind}`, not `kubernetes.io/tls`", "{secret} 的类型为 `{kind}`，而不是 `kubernetes.io/tls`"),
    (
        "Gateways need take no other type, and the API server does not see to it that certificate and key are there.",
        "Gateway 可以不接受其他类型，API server 也不会检查证书与私钥是否齐全。"
    ),
    ("create it anew with the type `kubernetes.io/tls`", "以类型 `kubernetes.io/tls` 重新创建"),
);
fault!(
    SERVICE_NOT_COVERED,
    "service-name-not-covered",
    High,
    (
        "the certificate of {secret} is not for `{service}`, which its caller asks for; it is for {names}",
        "{secret} 中的证书不适用于调用者所要求的 `{service}`，只适用于 {names}"
    ),
    ("Whoever calls it, the API server or a gateway, refuses it, and every call fails.", "调用者（API server 或网关）会拒绝它，所有调用都会失败。"),
    ("issue it for that name", "为该名字签发证书"),
);
fault!(
    UNVERIFIED,
    "unverified-api-service",
    Medium,
    ("the API server does not verify who answers for it (`insecureSkipTLSVerify`)", "API server 不校验应答者的身份（`insecureSkipTLSVerify`）"),
    (
        "Whoever can answer at the address of `{service}` receives requests with the identity of every user, and answers them.",
        "任何能在 `{service}` 的地址上应答的人，都会收到带有用户身份的请求并作出回应。"
    ),
    ("take the field out and write the `caBundle`", "删除该字段并写入 `caBundle`"),
);

fault!(
    ANSWERS_PLAIN,
    "endpoint-without-tls",
    High,
    ("{endpoint} answers without TLS: {reason}", "{endpoint} 未使用 TLS 应答：{reason}"),
    ("Everything that is said there can be read and changed on the way.", "在那里传输的一切都可能在途中被读取和篡改。"),
    ("end TLS there, or close the port", "在此终止 TLS，或关闭该端口"),
);
fault!(
    OLD_VERSION,
    "obsolete-tls-version",
    Medium,
    ("{endpoint} still speaks TLS {version}", "{endpoint} 仍支持 TLS {version}"),
    (
        "Versions before 1.2 were given up in 2021 (RFC 8996): they rest on SHA-1, and attacks on their encryption are known.",
        "1.2 之前的版本已于 2021 年被弃用（RFC 8996）：它们依赖 SHA-1，且其加密存在已知攻击。"
    ),
    ("demand TLS 1.2 or newer", "要求 TLS 1.2 或更新版本"),
);
fault!(
    WEAK_SUITE,
    "weak-cipher-suite",
    High,
    ("{endpoint} agrees to {suite}", "{endpoint} 接受 {suite}"),
    (
        "Suites without encryption or authentication, for export, with RC4 or with DES protect nothing from whoever is on the way.",
        "没有加密或认证、出口级、使用 RC4 或 DES 的套件，无法防御途中的攻击者。"
    ),
    ("leave it out of the suites of the server", "在服务器的套件中去掉它"),
);

/// Every fault, sorted by its name.
pub(super) static ALL: [&Fault; 44] = [
    &AUTHORITIES_MISSING,
    &CLIENT_AUTHORITIES_MISSING,
    &LISTENERS_NOT_ALLOWED,
    &MAY_NOT_SIGN,
    &PATH_TOO_LONG,
    &NAME_FORBIDDEN,
    &BESIDE_OTHER_KEY,
    &BUNDLE_OTHER_KEY,
    &BUNDLE_SIGNER_OVER,
    &CHAIN_OTHER_KEY,
    &AUTHORITY_SERVES,
    &AUTHORITY_EXPIRED,
    &AUTHORITY_ENDS_SOON,
    &MEMBER_EXPIRED,
    &MEMBER_IS_NO_AUTHORITY,
    &BUNDLE_SIGNS_NOT,
    &BUNDLE_MISSING,
    &BUNDLE_UNREADABLE,
    &COMMON_NAME_ONLY,
    &EXPIRED,
    &ENDS_SOON,
    &NOT_YET,
    &SELF_SIGNED,
    &STRANGE_CURVE,
    &WEAK_KEY,
    &WEAK_SIGNATURE,
    &CHAIN_BROKEN,
    &CHAIN_ENDS_EARLIER,
    &CHAIN_INCOMPLETE,
    &CHAIN_DISORDERED,
    &HOST_NOT_COVERED,
    &KEY_ENCRYPTED,
    &KEY_MISMATCH,
    &KEY_SHARED,
    &NOT_GRANTED,
    &SECRET_INCOMPLETE,
    &SECRET_MISSING,
    &SECRET_OF_WRONG_TYPE,
    &SERVED_EXPIRED,
    &SERVICE_NOT_COVERED,
    &UNVERIFIED,
    &ANSWERS_PLAIN,
    &OLD_VERSION,
    &WEAK_SUITE,
];
