//! The faults of kubeconfigs.

use crate::login::Fault;
use crate::login::fault::fault;

fault!(
    SKIPS_VERIFICATION,
    "kubeconfig-skips-verification",
    High,
    ("certificate of `{server}` is not verified", "不验证 `{server}` 的证书"),
    ("Whoever stands between sees every credential and answers in the server's place.", "中间人能看到所有凭据，并代替服务器应答。"),
    (
        "put the authority of the server into `certificate-authority-data` and take `insecure-skip-tls-verify` away",
        "将服务器的 CA 放入 `certificate-authority-data`，并去掉 `insecure-skip-tls-verify`"
    ),
);

fault!(
    PLAIN_HTTP,
    "kubeconfig-plain-http",
    High,
    ("`{server}` is asked without TLS", "以非 TLS 方式访问 `{server}`"),
    (
        "Every request and answer can be read and changed on the way; kubectl sends no client certificate there.",
        "所有请求与应答都可在途中被读取和篡改；kubectl 也不会在此发送客户端证书。"
    ),
    ("use `https`", "使用 `https`"),
);

fault!(
    SYSTEM_AUTHORITIES,
    "kubeconfig-system-authorities",
    Low,
    ("certificate of `{server}` is verified against every authority that the machine believes", "使用本机信任的所有 CA 验证 `{server}` 的证书"),
    ("Any of some hundred authorities can vouch for whoever answers.", "数百个 CA 中的任何一个都能为应答者背书。"),
    ("put the authority of the server into `certificate-authority-data`", "将服务器的 CA 放入 `certificate-authority-data`"),
);

fault!(
    ADDRESS_PASSWORD,
    "kubeconfig-address-password",
    Medium,
    ("`{field}` carries a user or password in its address", "`{field}` 的地址中含有用户名或密码"),
    ("Addresses end up in logs, in errors and in the list of processes.", "地址会出现在日志、错误信息和进程列表中。"),
    ("take it out of the address", "将其从地址中去掉"),
);

fault!(
    AUTHORITY_EXPIRED,
    "kubeconfig-authority-expired",
    Low,
    ("authority `{subject}` expired at {expires}", "CA `{subject}` 已于 {expires} 过期"),
    ("Nothing that it signed is believed.", "它签发的证书不会被信任。"),
    ("put the current authority there", "换成当前的 CA"),
);

fault!(
    AUTHORITY_UNREADABLE,
    "kubeconfig-authority-unreadable",
    Low,
    ("authority of the cluster `{name}` holds no certificate that can be read", "集群 `{name}` 的 CA 中没有可读取的证书"),
    ("kubectl cannot connect with it.", "kubectl 无法用它建立连接。"),
    ("put the authority of the server there, PEM in Base64", "填入服务器的 CA（PEM 的 Base64）"),
);

fault!(
    EMBEDDED_KEY,
    "kubeconfig-embedded-key",
    Low,
    ("private key of the user `{name}` stands in the file", "用户 `{name}` 的私钥直接写在文件中"),
    (
        "Whoever gets a copy of the file is this user until the certificate expires; there is no revocation.",
        "得到该文件副本的人在证书过期之前都能冒充此用户；证书无法吊销。"
    ),
    ("log in with an exec plugin that keeps keys elsewhere, or keep the certificate short-lived", "改用把密钥保存在别处的 exec 插件登录，或缩短证书有效期"),
);

fault!(
    KEY_MISMATCH,
    "kubeconfig-key-mismatch",
    Low,
    ("key of the user `{name}` does not belong to its certificate", "用户 `{name}` 的私钥与证书不匹配"),
    ("Nobody can log in with the two.", "二者无法用于登录。"),
    ("put the key there with which the certificate was asked for", "换成申请该证书时使用的私钥"),
);

fault!(
    CERTIFICATE_UNREADABLE,
    "kubeconfig-certificate-unreadable",
    Low,
    ("certificate of the user `{name}` cannot be read", "用户 `{name}` 的证书无法读取"),
    ("Nobody can log in with it.", "无法用它登录。"),
    ("put the certificate there, PEM in Base64", "填入证书（PEM 的 Base64）"),
);

fault!(
    KEY_UNREADABLE,
    "kubeconfig-key-unreadable",
    Low,
    ("key of the user `{name}` cannot be read", "用户 `{name}` 的私钥无法读取"),
    ("Nobody can log in with it.", "无法用它登录。"),
    ("put the key there, PEM in Base64", "填入私钥（PEM 的 Base64）"),
);

fault!(
    STATIC_TOKEN,
    "kubeconfig-static-token",
    Medium,
    ("a token of which nothing can be told stands in the file", "文件中有一个无法识别的令牌"),
    ("It may be good for ever.", "它可能永久有效。"),
    ("log in with an exec plugin, or with tokens that expire", "改用 exec 插件或会过期的令牌登录"),
);

fault!(
    TOKEN_NEVER_EXPIRES,
    "kubeconfig-token-never-expires",
    High,
    ("token of `{subject}` never expires", "`{subject}` 的令牌永不过期"),
    ("Whoever gets a copy of the file is this user until somebody deletes the token.", "得到该文件副本的人在令牌被删除之前都能冒充此用户。"),
    ("delete the Secret that it is from, and use `kubectl create token` or an exec plugin", "删除其来源 Secret，改用 `kubectl create token` 或 exec 插件"),
);

fault!(
    TOKEN_LONG,
    "kubeconfig-token-long-lived",
    Medium,
    ("token is good for {days} more days, until {expires}", "令牌还有 {days} 天有效期，至 {expires}"),
    ("A token is not taken back before it expires.", "令牌在过期之前不会被收回。"),
    ("use tokens that live for hours", "使用有效期以小时计的令牌"),
);

fault!(
    TOKEN_EXPIRED,
    "kubeconfig-token-expired",
    Low,
    ("token expired at {expires}", "令牌已于 {expires} 过期"),
    ("Nobody can log in with it.", "无法用它登录。"),
    ("delete it", "删除它"),
);

fault!(
    PASSWORD,
    "kubeconfig-password",
    Medium,
    ("user `{name}` logs in with a name and password", "用户 `{name}` 使用用户名和密码登录"),
    (
        "API servers do not take passwords since 1.19; what is left is the password, in the clear.",
        "API server 自 1.19 起不再接受密码；剩下的只是明文保存的密码。"
    ),
    ("delete it, and change the password wherever else it is used", "删除它，并在其他使用处更换该密码"),
);

fault!(
    PROVIDER,
    "kubeconfig-auth-provider",
    Low,
    ("user logs in with the built-in provider `{provider}`", "用户使用内置的认证提供方 `{provider}` 登录"),
    (
        "The providers of clouds are gone from kubectl since 1.26, and the one for OpenID Connect is no longer maintained.",
        "云厂商的提供方自 1.26 起已从 kubectl 移除，OpenID Connect 的提供方也不再维护。"
    ),
    ("use the exec plugin of the provider", "改用该提供方的 exec 插件"),
);

fault!(
    PROVIDER_TOKENS,
    "kubeconfig-auth-provider-tokens",
    Medium,
    ("tokens or secrets of the provider `{provider}` stand in the file", "文件中含有提供方 `{provider}` 的令牌或密钥"),
    ("A refresh token makes new tokens for months.", "刷新令牌可在数月内不断换取新令牌。"),
    ("log out, and use an exec plugin that keeps tokens elsewhere", "登出，并改用把令牌保存在别处的 exec 插件"),
);

fault!(
    EXEC_SHELL,
    "kubeconfig-exec-shell",
    High,
    ("a shell is run for the credential: `{command}`", "通过 shell 获取凭据：`{command}`"),
    (
        "Using this file runs whatever it says, as you. Kubeconfigs that others hand over are a known way in.",
        "使用该文件会以您的身份执行其中的任何命令。他人提供的 kubeconfig 是一种已知的入侵途径。"
    ),
    ("name the plugin itself, with its arguments", "直接写明插件及其参数"),
);

fault!(
    EXEC_PUBLIC,
    "kubeconfig-exec-public-directory",
    High,
    ("program for the credential lies where anybody may write: `{command}`", "获取凭据的程序位于任何人可写的目录：`{command}`"),
    ("Whoever else is on the machine decides what runs as you.", "这台机器上的其他人可以决定以您的身份运行什么。"),
    ("install it where only administrators write", "安装到只有管理员可写的目录"),
);

fault!(
    EXEC_RELATIVE,
    "kubeconfig-exec-relative",
    Medium,
    ("program for the credential lies beside the file: `{command}`", "获取凭据的程序与该文件同目录：`{command}`"),
    ("It comes with the file: whoever hands the file over decides what runs as you.", "它随文件一起提供：提供文件的人可以决定以您的身份运行什么。"),
    ("name a program that is installed, by its name or whole path", "写明已安装程序的名字或完整路径"),
);

fault!(
    EXEC_NOTHING,
    "kubeconfig-exec-nothing",
    Low,
    ("`exec` names no command", "`exec` 没有指定命令"),
    ("kubectl refuses the user.", "kubectl 会拒绝该用户。"),
    ("name the command", "指定命令"),
);

fault!(
    EXEC_VERSION,
    "kubeconfig-exec-version",
    Low,
    ("`exec` is of the version `{version}`, which kubectl no longer takes", "`exec` 使用的版本 `{version}` 已不被 kubectl 接受"),
    ("`v1alpha1` is gone since 1.24.", "`v1alpha1` 自 1.24 起已移除。"),
    ("use `client.authentication.k8s.io/v1`", "使用 `client.authentication.k8s.io/v1`"),
);

fault!(
    EXEC_SECRET,
    "kubeconfig-exec-secret",
    Medium,
    ("secrets for the plugin stand in the file: {variables}", "插件的密钥写在文件中：{variables}"),
    ("Whoever gets a copy of the file has them.", "得到该文件副本的人也就得到了它们。"),
    ("let the plugin read them from where it keeps them", "让插件从其自身的存储中读取"),
);

fault!(
    DANGLING,
    "kubeconfig-dangling",
    Low,
    ("{from} names the {to}, which is not there", "{from} 引用了不存在的 {to}"),
    ("kubectl refuses it, or uses an empty one in its place.", "kubectl 会拒绝它，或使用空值代替。"),
    ("add what is missing, or delete the reference", "补上缺失的部分，或删除该引用"),
);

fault!(
    DUPLICATE,
    "kubeconfig-duplicate",
    Medium,
    ("`{name}` stands twice in `{list}`", "`{name}` 在 `{list}` 中出现两次"),
    ("kubectl refuses the whole file; other programs take the first or the last.", "kubectl 会拒绝整个文件；其他程序则取第一个或最后一个。"),
    ("delete one of the two", "删除其中之一"),
);

fault!(
    UNUSED,
    "kubeconfig-unused",
    Low,
    ("no context uses `{name}`", "没有上下文使用 `{name}`"),
    ("A credential that is left over is still a credential.", "遗留的凭据仍然是凭据。"),
    ("delete it", "删除它"),
);

fault!(
    INVALID,
    "kubeconfig-invalid",
    Low,
    ("`{name}` cannot be used as it is: {reason}", "`{name}` 无法使用：{reason}"),
    ("kubectl refuses it, or ignores part of it.", "kubectl 会拒绝它，或忽略其中一部分。"),
    ("correct it", "修正它"),
);

fault!(
    FILE_UNREADABLE,
    "kubeconfig-file-unreadable",
    Low,
    ("`{name}` names the file `{file}`, which cannot be had: {reason}", "`{name}` 引用的文件 `{file}` 无法取得：{reason}"),
    ("kubectl refuses it.", "kubectl 会拒绝它。"),
    ("put the file there, or embed what it holds", "把文件放到该处，或将其内容嵌入"),
);

fault!(
    IMPERSONATES_MASTERS,
    "kubeconfig-impersonates-masters",
    Medium,
    ("user `{name}` acts in the group `system:masters`", "用户 `{name}` 以组 `system:masters` 行事"),
    ("Every command is run as administrator, past every authorizer.", "所有命令都会越过授权器，以管理员身份执行。"),
    ("take `as-groups` away and ask for it where it is needed (`--as-group`)", "去掉 `as-groups`，仅在需要时使用 `--as-group`"),
);

fault!(
    READABLE,
    "kubeconfig-readable",
    Medium,
    ("`{file}` holds credentials and others may read it ({mode})", "`{file}` 含有凭据且他人可读（{mode}）"),
    ("Whoever is on the machine can copy them.", "这台机器上的任何人都能复制它们。"),
    ("set its mode to 0600", "将权限设为 0600"),
);

fault!(
    WRITABLE,
    "kubeconfig-writable",
    High,
    ("others may write `{file}` ({mode})", "他人可写 `{file}`（{mode}）"),
    ("Whoever writes `exec` into it runs programs as you.", "在其中写入 `exec` 的人可以以您的身份运行程序。"),
    ("set its mode to 0600", "将权限设为 0600"),
);

/// Every fault of this file.
pub(in crate::login) static FAULTS: [&Fault; 31] = [
    &SKIPS_VERIFICATION,
    &PLAIN_HTTP,
    &SYSTEM_AUTHORITIES,
    &ADDRESS_PASSWORD,
    &AUTHORITY_EXPIRED,
    &AUTHORITY_UNREADABLE,
    &EMBEDDED_KEY,
    &KEY_MISMATCH,
    &CERTIFICATE_UNREADABLE,
    &KEY_UNREADABLE,
    &STATIC_TOKEN,
    &TOKEN_NEVER_EXPIRES,
    &TOKEN_LONG,
    &TOKEN_EXPIRED,
    &PASSWORD,
    &PROVIDER,
    &PROVIDER_TOKENS,
    &EXEC_SHELL,
    &EXEC_PUBLIC,
    &EXEC_RELATIVE,
    &EXEC_NOTHING,
    &EXEC_VERSION,
    &EXEC_SECRET,
    &DANGLING,
    &DUPLICATE,
    &UNUSED,
    &INVALID,
    &FILE_UNREADABLE,
    &IMPERSONATES_MASTERS,
    &READABLE,
    &WRITABLE,
];
