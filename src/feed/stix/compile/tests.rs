use proptest::prelude::*;

use super::*;

fn read(pattern: &str) -> Result<Vec<Plan>, Refusal> {
    let expression = Expression::parse(pattern).unwrap_or_else(|| panic!("not of the grammar: {pattern}"));
    compile(&expression, Window::ALWAYS)
}

/// `kind reach value` and what limits it, `; ` between indicators; or `refused: why`.
fn shown(pattern: &str) -> String {
    let plans = match read(pattern) {
        Ok(plans) => plans,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    let show = |plan: &Plan| {
        let mut out = format!("{} {:?} {}", plan.kind.name, plan.matching, plan.value.escape_ascii());
        let ports = [("port", plan.port), ("source_port", plan.pattern.source_port)];
        ports
            .iter()
            .filter_map(|(name, port)| port.map(|port| (name, port)))
            .for_each(|(n, p)| out += &format!(" {n}={p}"));
        plan.transport.iter().for_each(|transport| out += &format!(" {transport:?}"));
        plan.pattern.depth.iter().for_each(|depth| out += &format!(" depth={depth}"));
        for (path, part) in plan.when.iter().flat_map(Condition::parts) {
            out += &format!(" {}={part}", path.trim_start_matches("picket.when."));
        }
        out
    };
    plans.iter().map(show).collect::<Vec<_>>().join("; ")
}

/// Every example of STIX 2.1, section 9.8 (and those of 2.0 that differ), in the order of the document.
#[test]
fn the_examples_of_the_standard() {
    const TWO: &str = "refused: not honoured: AND of values that only together mean something";
    for (pattern, expected) in [
        (
            "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
            "file Exact aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f",
        ),
        (
            r"[email-message:from_ref.value MATCHES '.+\\@example\\.com$' AND email-message:body_multipart[*].body_raw_ref.name MATCHES '^Final Report.+\\.exe$']",
            "refused: not honoured: MATCHES of what is no name, URL or payload",
        ),
        (
            "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f' AND file:mime_type = 'application/x-pdf']",
            "refused: not honoured: a property of file other than name and hashes",
        ),
        (
            "[file:hashes.'SHA-256' = 'bf07a7fbb825fc0aae7bf4a1177b2b31fcf8a3feeaf7092761e18c859ee52a9c' OR file:hashes.MD5 = 'cead3f77f6cda6ec00f57d76c9a6879f'] AND [file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
            "refused: not honoured: AND of observations",
        ),
        (
            r"([file:hashes.MD5 = '79054025255fb1a26e4bc422aef54eb4'] FOLLOWEDBY [windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\foo\\bar']) WITHIN 300 SECONDS",
            "refused: not honoured: FOLLOWEDBY",
        ),
        (
            "[user-account:account_type = 'unix' AND user-account:user_id = '1007' AND user-account:account_login = 'Peter'] AND [user-account:account_type = 'unix' AND user-account:user_id = '1008' AND user-account:account_login = 'Paul'] AND [user-account:account_type = 'unix' AND user-account:user_id = '1009' AND user-account:account_login = 'Mary']",
            "refused: not honoured: AND of observations",
        ),
        (
            r"[artifact:mime_type = 'application/vnd.tcpdump.pcap' AND artifact:payload_bin MATCHES '\\xd4\\xc3\\xb2\\xa1\\x02\\x00\\x04\\x00']",
            "refused: not honoured: a property of artifact other than payload_bin",
        ),
        (
            r"[artifact:payload_bin MATCHES '\\xd4\\xc3\\xb2\\xa1\\x02\\x00\\x04\\x00']",
            r"network-traffic Exact \xd4\xc3\xb2\xa1\x02\x00\x04\x00",
        ),
        (
            r"[file:name = 'foo.dll' AND file:parent_directory_ref.path = 'C:\\Windows\\System32']",
            "refused: not honoured: a property of file other than name and hashes",
        ),
        (
            "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]",
            "refused: not honoured: a property of file other than name and hashes",
        ),
        (
            "[file:mime_type = 'image/bmp' AND file:magic_number_hex = h'ffd8']",
            "refused: not honoured: a property of file other than name and hashes",
        ),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '203.0.113.33/32']",
            "ipv4-addr Exact 203.0.113.33/32 field=destination.ip",
        ),
        (
            "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'example.com'] REPEATS 5 TIMES WITHIN 1800 SECONDS",
            "refused: not honoured: REPEATS",
        ),
        (
            "[domain-name:value = 'www.5z8.info' AND domain-name:resolves_to_refs[*].value = '198.51.100.1/32']",
            "refused: not honoured: a property of domain-name other than value",
        ),
        (
            "[url:value = 'http://example.com/foo' OR url:value = 'http://example.com/bar']",
            "url Exact http://example.com/foo; url Exact http://example.com/bar",
        ),
        (
            "[x509-certificate:issuer = 'CN=WEBMAIL' AND x509-certificate:serial_number = '4c:0b:1d:19:74:86:a7:66:b4:1a:bf:40:27:21:76:28']",
            TWO,
        ),
        (
            r"[windows-registry-key:key = 'HKEY_CURRENT_USER\\Software\\CryptoLocker\\Files' OR windows-registry-key:key = 'HKEY_CURRENT_USER\\Software\\Microsoft\\CurrentVersion\\Run\\CryptoLocker_0388']",
            "refused: not honoured: windows-registry-key",
        ),
        (
            "[(file:name = 'pdf.exe' OR file:size = 371712) AND file:created = t'2014-01-13T07:03:17Z']",
            "refused: not honoured: a property of file other than name and hashes",
        ),
        ("[email-message:sender_ref.value = 'jdoe@example.com' AND email-message:subject = 'Conference Info']", TWO),
        (
            "[x-usb-device:usbdrive.serial_number = '575833314133343231313937']",
            "refused: not honoured: an object type that STIX does not define",
        ),
        (
            "[process:command_line MATCHES '^.+>-add GlobalSign.cer -c -s -r localMachine Root$'] FOLLOWEDBY [process:command_line MATCHES'^.+>-add GlobalSign.cer -c -s -r localMachineTrustedPublisher$'] WITHIN 300 SECONDS",
            "refused: not honoured: FOLLOWEDBY",
        ),
        (
            "[network-traffic:dst_ref.value ISSUBSET '2001:0db8:dead:beef:0000:0000:0000:0000/64']",
            "ipv6-addr Exact 2001:0db8:dead:beef:0000:0000:0000:0000/64 field=destination.ip",
        ),
        (
            r"([file:name = 'foo.dll'] AND [windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\foo\\bar']) OR [process:image_ref.name = 'fooproc' OR process:image_ref.name = 'procfoo']",
            "refused: not honoured: AND of observations",
        ),
        // The tables of operators, sections 9.6 and 9.7.
        ("[file:name = 'foo.dll']", "file-name Exact foo.dll"),
        ("[file:size != 4096]", "refused: not honoured: a property of file other than name and hashes"),
        ("[process:name IN ('proccy', 'proximus', 'badproc')]", "refused: not honoured: process"),
        ("[EXISTS windows-registry-key:values]", "refused: not honoured: windows-registry-key"),
        (r"[directory:path LIKE 'C:\\Windows\\%\\foo']", "refused: not honoured: directory"),
        (r"[directory:path MATCHES '^C:\\Windows\\w+$']", "refused: not honoured: directory"),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", "ipv4-addr Exact 198.51.100.0/24"),
        ("[ipv4-addr:value ISSUPERSET '198.51.100.0/24']", "refused: not honoured: ISSUPERSET"),
        ("[ipv4-addr:value = '198.51.100.1/32'] REPEATS 5 TIMES", "refused: not honoured: REPEATS"),
        (
            "[ipv4-addr:value = '198.51.100.1/32' OR ipv4-addr:value = '203.0.113.33/32' OR ipv6-addr:value = '2001:0db8:dead:beef:dead:beef:dead:0001/128']",
            "ipv4-addr Exact 198.51.100.1/32; ipv4-addr Exact 203.0.113.33/32; ipv6-addr Exact 2001:0db8:dead:beef:dead:beef:dead:0001/128",
        ),
        (
            "([ipv4-addr:value = '198.51.100.5']) OR [ipv4-addr:value='198.51.100.10']",
            "ipv4-addr Exact 198.51.100.5; ipv4-addr Exact 198.51.100.10",
        ),
        (
            "[ipv4-addr:value='198.51.100.5'] AND [ipv4-addr:value='198.51.100.10']",
            "refused: not honoured: AND of observations",
        ),
        (
            "[ipv4-addr:value='198.51.100.5'] FOLLOWEDBY [ipv4-addr:value='198.51.100.10']",
            "refused: not honoured: FOLLOWEDBY",
        ),
    ] {
        assert_eq!(shown(pattern), expected, "{pattern}");
    }
}

#[test]
fn names() {
    for (pattern, expected) in [
        ("[domain-name:value = 'Evil.example']", "domain-name Exact Evil.example"),
        (
            "[domain-name:value IN ('a.example', 'b.example')]",
            "domain-name Exact a.example; domain-name Exact b.example",
        ),
        ("[domain-name:value LIKE 'evil.example']", "domain-name Exact evil.example"),
        (
            "[domain-name:value LIKE '%.evil.example' OR domain-name:value = 'EVIL.example']",
            "domain-name Subtree EVIL.example",
        ),
        (
            "[domain-name:value = 'evil.example' OR domain-name:value LIKE '%.evil.example']",
            "domain-name Subtree evil.example",
        ),
        (
            "[domain-name:value LIKE '%.evil.example']",
            "refused: not honoured: what is below a name without the name itself",
        ),
        (
            "[domain-name:value LIKE '%.evil.example' OR domain-name:value = 'other.example']",
            "refused: not honoured: what is below a name without the name itself",
        ),
        (
            "[domain-name:value LIKE '%.evil.example'] OR [domain-name:value = 'evil.example']",
            "refused: not honoured: what is below a name without the name itself",
        ),
        (
            "[domain-name:value LIKE '%evil.example']",
            "refused: not honoured: LIKE with a wildcard elsewhere than %.name",
        ),
        (
            "[domain-name:value LIKE '%.my_host.example']",
            "refused: not honoured: LIKE with a wildcard elsewhere than %.name",
        ),
        ("[domain-name:value LIKE '%..example']", "refused: not honoured: LIKE with a wildcard elsewhere than %.name"),
        (r"[domain-name:value MATCHES '^evil\\.example$']", "domain-name Exact evil.example"),
        (r"[domain-name:value MATCHES '(^|\\.)evil\\.example$']", "domain-name Subtree evil.example"),
        (r"[domain-name:value MATCHES '(?:\\.|^)evil\\.example$']", "domain-name Subtree evil.example"),
        (
            r"[domain-name:value MATCHES '\\.evil\\.example$' OR domain-name:value = 'evil.example']",
            "domain-name Subtree evil.example",
        ),
        (
            r"[domain-name:value MATCHES 'evil\\.example$']",
            "refused: not honoured: MATCHES that leaves an end of the value open",
        ),
        (
            r"[domain-name:value MATCHES '^evil\\.example']",
            "refused: not honoured: MATCHES that leaves an end of the value open",
        ),
        (r"[domain-name:value MATCHES '^evil.example$']", "refused: not honoured: MATCHES with more than a literal"),
        (
            r"[domain-name:value MATCHES '(?i)^evil\\.example$']",
            "refused: not honoured: MATCHES with more than a literal",
        ),
        (r"[domain-name:value MATCHES '^(']", "refused: not honoured: MATCHES with more than a literal"),
        ("[domain-name:value = '*.evil.example']", "refused: not a domain name"),
        ("[domain-name:value != 'evil.example']", "refused: not honoured: !="),
        ("[domain-name:value NOT = 'evil.example']", "refused: not honoured: NOT"),
        ("[domain-name:value = 1]", "refused: not honoured: a literal of another type than its property"),
        ("[domain-name:value > 'a']", "refused: not honoured: < or >"),
        ("[domain-name:value ISSUBSET '192.0.2.0/24']", "refused: not honoured: ISSUBSET of what is no address"),
        ("[EXISTS domain-name:value]", "refused: not honoured: EXISTS"),
        ("[domain-name:value IN ()]", "refused: empty value"),
        ("[domain-name:value = 'a.example' OR process:name = 'x']", "refused: not honoured: process"),
    ] {
        assert_eq!(shown(pattern), expected, "{pattern}");
    }
}

#[test]
fn urls() {
    const LIKE: &str = "refused: not honoured: LIKE with a wildcard elsewhere than scheme://host/path/%";
    const OPEN: &str = "refused: not honoured: MATCHES that leaves an end of the value open";
    for (pattern, expected) in [
        ("[url:value LIKE 'http://evil.example/a/%']", "url Prefix http://evil.example/a/"),
        ("[url:value LIKE 'https://evil.example/%']", "url Prefix https://evil.example/"),
        ("[url:value LIKE 'http://evil.example/a%']", LIKE),
        ("[url:value LIKE 'http://evil.example%']", LIKE),
        ("[url:value LIKE 'http://%']", LIKE),
        ("[url:value LIKE '%/gate.php']", LIKE),
        ("[url:value LIKE 'http://evil.example/_/%']", LIKE),
        ("[url:value LIKE 'http://evil.example/#a/%']", LIKE),
        (r"[url:value MATCHES '^http://evil\\.example/a$']", "url Exact http://evil.example/a"),
        (r"[url:value MATCHES '^http://evil\\.example/a/']", "url Prefix http://evil.example/a/"),
        (r"[url:value MATCHES '^http://evil\\.example/a']", OPEN),
        (r"[url:value MATCHES 'evil\\.example/a']", OPEN),
        (
            r"[url:value MATCHES '^https?://evil\\.example/a$']",
            "refused: not honoured: MATCHES with more than a literal",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.Host = 'evil.example' AND network-traffic:extensions.'http-request-ext'.request_value = '/a?b']",
            "url Exact http://evil.example/a?b field=url.full",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'Host' = 'evil.example']",
            "domain-name Exact evil.example field=url.domain",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_value = '/a?b']",
            "refused: not honoured: request_value without the Host that it is asked of",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_method = 'post']",
            "refused: not honoured: request_method alone",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_method = 'POST' AND network-traffic:extensions.'http-request-ext'.request_value = '/a' AND network-traffic:protocols[*] = 'tcp' AND network-traffic:protocols[*] = 'http' AND network-traffic:dst_port = 80]",
            r"rule Exact [network-traffic:extensions.\'http-request-ext\'.request_method = \'post\' AND network-traffic:extensions.\'http-request-ext\'.request_value = \'/a\' AND network-traffic:dst_port = 80 AND network-traffic:protocols[*] = \'tcp\']",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_method = 'get' AND network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'It\\'s' AND network-traffic:extensions.'http-request-ext'.request_header.Host = 'Evil.example']",
            r"rule Exact [network-traffic:extensions.\'http-request-ext\'.request_method = \'get\' AND network-traffic:extensions.\'http-request-ext\'.request_header.\'Host\' = \'evil.example\' AND network-traffic:extensions.\'http-request-ext\'.request_header.\'User-Agent\' = \'It\\\'s\']",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_method = 'get' AND network-traffic:extensions.'http-request-ext'.request_header.Host = 'evil.example:8080']",
            "refused: not honoured: request_method beside a Host with a port",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_method = 'get' AND domain-name:value = 'evil.example']",
            "refused: not honoured: request_method beside what is no part of a request",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Evil/1' AND network-traffic:protocols[*] = 'http']",
            "user-agent Exact Evil/1 protocol=http field=user_agent.original",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Evil/1' AND network-traffic:dst_port = 80]",
            "refused: not honoured: an end, port or transport of what is no address or payload",
        ),
    ] {
        assert_eq!(shown(pattern), expected, "{pattern}");
    }
}

#[test]
fn ends_of_traffic() {
    for (pattern, expected) in [
        ("[ipv4-addr:value = '192.0.2.1']", "ipv4-addr Exact 192.0.2.1"),
        ("[ipv4-addr:value = '2001:db8::1']", "refused: not an address or network"),
        ("[ipv6-addr:value = '192.0.2.1']", "refused: not an address or network"),
        ("[ipv6-addr:value ISSUBSET '2001:db8::/32']", "ipv6-addr Exact 2001:db8::/32"),
        ("[ipv4-addr:value ISSUBSET 'evil.example']", "refused: not an address or network"),
        ("[ipv4-addr:value LIKE '192.0.2.%']", "refused: not honoured: LIKE of what is no name or URL"),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = '8443' AND network-traffic:protocols[*] = 'tcp']",
            "ipv4-addr Exact 192.0.2.1 port=8443 Tcp field=destination.ip",
        ),
        (
            "[network-traffic:src_ref.value = '2001:db8::1' AND network-traffic:src_port = 53 AND network-traffic:protocols[0] = 'ipv6' AND network-traffic:protocols[1] = 'udp' AND network-traffic:protocols[2] = 'dns']",
            "ipv6-addr Exact 2001:db8::1 port=53 Udp protocol=dns field=source.ip",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port IN (80, 443)]",
            "ipv4-addr Exact 192.0.2.1 port=80 field=destination.ip; ipv4-addr Exact 192.0.2.1 port=443 field=destination.ip",
        ),
        (
            "[network-traffic:dst_ref.value = 'evil.example']",
            "domain-name Exact evil.example field=tls.client.server_name; domain-name Exact evil.example field=url.domain",
        ),
        ("[network-traffic:src_ref.value = 'evil.example']", "refused: not honoured: a source that is a name"),
        (
            "[network-traffic:dst_ref.value = 'evil.example' AND network-traffic:dst_port = 443]",
            "refused: not honoured: a port or transport of a name",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:src_port = 53]",
            "refused: not honoured: something of the other end than the one that is named",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:src_ref.value = '192.0.2.2']",
            "refused: not honoured: AND of values that only together mean something",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_ref.value = '192.0.2.1']",
            "ipv4-addr Exact 192.0.2.1 field=destination.ip",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:protocols[*] = 'ipv6']",
            "refused: not honoured: an end that contradicts its type or protocol",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_ref.type = 'ipv6-addr']",
            "refused: not honoured: an end that contradicts its type or protocol",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:protocols[*] = 'gopher']",
            "refused: not honoured: a protocol that nothing here recognises",
        ),
        (
            "[network-traffic:dst_ref.type = 'mac-addr']",
            "refused: not honoured: an end that is neither address nor name",
        ),
        ("[network-traffic:dst_port = 4444]", "refused: not honoured: ports and protocols without a value"),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 70000]",
            "refused: a field cannot be read",
        ),
        ("[network-traffic:dst_ref.value = '192.0.2.1:80']", "refused: not an address or network"),
        (
            "[ipv4-addr:value = '192.0.2.1' AND network-traffic:dst_port = 80]",
            "refused: not honoured: an end, port or transport of what is no address or payload",
        ),
    ] {
        assert_eq!(shown(pattern), expected, "{pattern}");
    }
}

#[test]
fn payloads() {
    for (pattern, expected) in [
        ("[artifact:payload_bin MATCHES 'evil stuff']", "network-traffic Exact evil stuff"),
        (r"[artifact:payload_bin MATCHES '^\\x7fELF\\x02']", r"network-traffic Exact \x7fELF\x02 depth=5"),
        (
            r"[network-traffic:src_payload_ref.payload_bin MATCHES 'GET /evil' AND network-traffic:dst_port = 80 AND network-traffic:src_port = 1024 AND network-traffic:protocols[*] = 'tcp' AND network-traffic:protocols[*] = 'http']",
            "network-traffic Exact GET /evil port=80 source_port=1024 Tcp protocol=http direction=to_responder",
        ),
        (
            "[network-traffic:dst_payload_ref.payload_bin MATCHES 'evil']",
            "network-traffic Exact evil direction=to_originator",
        ),
        (
            "[artifact:payload_bin MATCHES 'evil$']",
            "refused: not honoured: MATCHES that leaves an end of the value open",
        ),
        ("[artifact:payload_bin MATCHES 'evil.*stuff']", "refused: not honoured: MATCHES with more than a literal"),
        ("[artifact:payload_bin = h'd4c3']", "refused: not honoured: = of a whole payload (MATCHES finds bytes in it)"),
        (
            "[artifact:payload_bin MATCHES 'evil' AND network-traffic:dst_port = 80]",
            "refused: not honoured: ports or protocols of an artifact",
        ),
        (
            "[network-traffic:src_payload_ref.payload_bin MATCHES 'evil' AND network-traffic:dst_ref.value = '192.0.2.1']",
            "refused: not honoured: AND of values that only together mean something",
        ),
    ] {
        assert_eq!(shown(pattern), expected, "{pattern}");
    }
}

#[test]
fn files_certificates_and_mail() {
    let (md5, sha1, sha256) = ("a".repeat(32), "b".repeat(40), "C".repeat(64));
    for (pattern, expected) in [
        (format!("[file:hashes.MD5 = '{md5}']"), format!("file Exact {md5}")),
        (format!("[file:hashes.'SHA-1' = '{sha1}' AND file:hashes.MD5 = '{md5}' AND file:hashes.SHA256 = '{sha256}']"), format!("file Exact {sha256}")),
        (format!("[file:hashes.MD5 = '{md5}' OR file:hashes.'SHA-1' = '{sha1}']"), format!("file Exact {md5}; file Exact {sha1}")),
        (format!("[file:hashes.'SHA-256' = '{md5}']"), "refused: not a fingerprint of this kind".into()),
        (format!("[file:hashes.'SHA-256' = '{sha256}' AND file:name = 'a.exe']"), "refused: not honoured: AND of values that only together mean something".into()),
        (format!("[file:hashes.MD5 = '{md5}' AND file:hashes.MD5 = '{}']", "d".repeat(32)), "refused: not honoured: AND of values that only together mean something".into()),
        ("[file:hashes.'SSDEEP' = '3:x']".into(), "refused: not honoured: a digest other than MD5, SHA-1 or SHA-256 of a file, SHA-1 or SHA-256 of a certificate".into()),
        (format!("[x509-certificate:hashes.'SHA-1' = '{sha1}']"), format!("x509-certificate Exact {sha1}")),
        ("[x509-certificate:serial_number = '01:02']".into(), "x509-serial Exact 01:02".into()),
        ("[x509-certificate:subject = 'CN=a']".into(), "x509-subject Exact CN=a".into()),
        ("[x509-certificate:issuer = 'CN=a']".into(), "x509-issuer Exact CN=a".into()),
        ("[email-addr:value = 'a@evil.example']".into(), "email-addr Exact a@evil.example".into()),
        ("[email-message:from_ref.value = 'a@evil.example']".into(), "email-addr Exact a@evil.example field=email.from.address".into()),
        ("[email-message:to_refs[*].value = 'a@evil.example']".into(), "email-addr Exact a@evil.example field=email.to.address".into()),
        ("[email-message:subject = 'Your invoice']".into(), "email-subject Exact Your invoice".into()),
        ("[user-account:account_login = 'root']".into(), "user-account Exact root".into()),
    ] {
        assert_eq!(shown(&pattern), expected, "{pattern}");
    }
}

#[test]
fn start_and_stop_narrow_the_window() {
    let expression =
        Expression::parse("[ipv4-addr:value = '192.0.2.1'] START t'2024-02-01T00:00:00Z' STOP t'2024-03-01T00:00:00Z'")
            .expect("reads");
    let days = |from, until| Window {
        from: crate::feed::field::instant(from).expect("time"),
        until: crate::feed::field::instant(until).expect("time"),
    };
    let plans = compile(&expression, days("2024-02-15T00:00:00Z", "2025-01-01T00:00:00Z")).unwrap_or_default();
    assert!(plans.len() == 1 && plans[0].window == days("2024-02-15T00:00:00Z", "2024-03-01T00:00:00Z"));
    assert!(compile(&expression, days("2024-03-01T00:00:00Z", "2025-01-01T00:00:00Z")).is_err());
    assert_eq!(
        shown("([ipv4-addr:value = '192.0.2.1'] WITHIN 5 SECONDS) REPEATS 1 TIMES"),
        "ipv4-addr Exact 192.0.2.1"
    );
}

#[test]
fn alternatives_are_bounded() {
    let list = |count: usize| (0..count).map(|n| format!("'h{n}.example'")).collect::<Vec<_>>().join(",");
    assert_eq!(
        read(&format!("[domain-name:value IN ({})]", list(MAX_ALTERNATIVES))).map(|all| all.len()),
        Ok(MAX_ALTERNATIVES)
    );
    assert_eq!(read(&format!("[domain-name:value IN ({})]", list(MAX_ALTERNATIVES + 1))).err(), Some(TOO_MANY));
    let product = format!("[domain-name:value IN ({0}) AND domain-name:value IN ({0})]", list(200));
    assert_eq!(read(&product).err(), Some(TOO_MANY));
    let long = format!("[{}]", ["domain-name:value = 'a.example'"; 17].join(" AND "));
    assert!(read(&long).is_err());
    let below: String = (0..8000)
        .map(|n| format!(" OR domain-name:value LIKE '%.h{n}.example' OR domain-name:value = 'h{n}.example'"))
        .collect();
    assert_eq!(read(&format!("[domain-name:value = 'x.example'{below}]")).map(|all| all.len()), Ok(8001));
}

proptest! {
    #[test]
    fn anything_of_the_grammar_is_compiled_or_refused(pattern in "\\[((ipv4-addr|domain-name|url|email-addr):value|network-traffic:(dst|src)_(ref\\.(value|type)|port|payload_ref\\.payload_bin)|artifact:payload_bin|file:hashes\\.MD5)( NOT)? (=|!=|<|IN|LIKE|MATCHES|ISSUBSET) (\\('[%a.^$/0-9]{0,9}', 1\\)|'[%a.^$/(|)0-9]{0,12}'|1)( (AND|OR) network-traffic:(dst|src)_(port = 80|ref\\.value = '192.0.2.1')){0,3}\\]") {
        if let Some(expression) = Expression::parse(&pattern) {
            let _ = compile(&expression, Window::ALWAYS);
        }
    }
}
