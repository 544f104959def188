//! Suricata's keywords that Picket does not honour, so that a refusal can name one with a word of ours.

use crate::indicator::Refusal;

/// Why a rule with this option is refused.
pub(super) fn refused(key: &str) -> Refusal {
    let lower = key.to_ascii_lowercase();
    let known = UNSUPPORTED.iter().find(|(name, _)| *name == lower);
    Refusal::Unsupported(known.map_or("an unknown option", |(_, why)| why))
}

macro_rules! unsupported {
    ($($name:literal)*) => { &[$(($name, concat!("option ", $name))),*] };
}

static UNSUPPORTED: &[(&str, &str)] = unsupported! {
    "ack" "absent" "app-layer-event" "app-layer-protocol" "asn1" "base64_data" "base64_decode" "bypass" "byte_extract" "byte_jump"
    "byte_math" "byte_test" "bittorrent_dht.request.type" "cip_service" "compress_whitespace" "dce_iface" "dce_opnum"
    "dce_stub_data" "dce.iface" "dce.opnum" "dce.stub_data" "decode-event" "detection_filter" "dhcp.leasetime" "dnp3.data"
    "dnp3.func" "dnp3.ind" "dnp3.obj" "dnp3_data" "dnp3_func" "dnp3_ind" "dnp3_obj" "dns.additionals.rrname" "dns.answer.name"
    "dns.answers.rrname" "dns.authorities.rrname" "dns.opcode" "dns.queries.rrname" "dns.query.name" "dns.rcode"
    "dns.response.rrname" "dns.rrtype" "dns_query.rrtype" "email.body_md5" "email.cc" "email.date" "email.from" "email.message_id"
    "email.received" "email.subject" "email.to" "email.url" "email.x_mailer" "engine-event" "enip_command" "entropy"
    "file.magic" "file.name" "fileext" "filemagic" "filemd5" "filename" "filesha1" "filesha256" "filesize" "filestore"
    "file_name" "flow.age" "flow.bytes" "flow.bytes_toclient" "flow.bytes_toserver" "flow.pkts" "flow.pkts_toclient"
    "flow.pkts_toserver" "flowint" "flowvar" "fragbits" "fragoffset" "from_base64" "ftpbounce" "ftpdata_command"
    "ftp.command" "ftp.command_data" "ftp.completion_code" "ftp.reply" "geoip" "gre.hdr" "gzip_decompress" "header_lowercase"
    "http.accept" "http.accept_enc" "http.accept_lang" "http.connection" "http.content_len"
    "http.content_type" "http.cookie" "http.header" "http.header.raw" "http.header_names" "http.host.raw" "http.protocol"
    "http.request_body" "http.request_header" "http.request_line" "http.response_body" "http.response_header"
    "http.response_line" "http.server" "http.server_body" "http.start" "http.stat_msg" "http2.errorcode" "http2.frametype"
    "http2.header_name" "http2.priority" "http2.settings" "http2.size_update" "http2.window" "http_accept" "http_accept_enc"
    "http_accept_lang" "http_client_body" "http_connection" "http_content_len" "http_content_type" "http_cookie" "http_header"
    "http_header_names" "http_protocol" "http_raw_header" "http_raw_host" "http_request_line" "http_response_line"
    "http_server" "http_server_body" "http_start" "http_stat_msg" "icmp_id" "icmp_seq" "icmpv4.hdr" "icmpv6.hdr" "icmpv6.mtu"
    "icode" "id" "igmp.hdr" "ike.chosen_sa_attribute" "ike.exchtype" "ike.init_spi" "ike.key_exchange_payload" "ike.nonce_payload"
    "ike.resp_spi" "ike.vendor" "ip_proto" "ipopts" "ipv4.hdr" "ipv4-csum" "ipv6.hdr" "itype" "ja3.string" "ja3_string"
    "ja3s.string" "krb5.cname" "krb5.sname" "krb5.ticket_encryption" "krb5_cname" "krb5_err_code" "krb5_msg_type"
    "krb5_sname" "ldap.request.dn" "ldap.request.operation" "ldap.responses.dn" "ldap.responses.operation" "l3_proto" "lua" "luajit" "luaxform" "mdns.queries.rrname" "modbus"
    "mqtt.connect.clientid" "mqtt.connect.flags" "mqtt.connect.password" "mqtt.connect.username" "mqtt.publish.message" "mqtt.publish.topic"
    "mqtt.subscribe.topic" "mqtt.type" "nfs.version" "nfs_procedure" "noalert" "packet_data" "pcre" "pcrexform" "pgsql.query" "pktvar" "prefilter" "quic.cyu.hash" "quic.cyu.string" "quic.sni" "quic.ua"
    "quic.version" "rawbytes" "rdp.client_version" "rdp.cookie" "replace" "requires" "rfb.name" "rfb.sectype" "rpc" "sameip" "seq" "sip.content_length" "sip.from"
    "sip.method" "sip.protocol" "sip.request_line" "sip.response_line" "sip.stat_code" "sip.stat_msg" "sip.to" "sip.uri"
    "sip.user_agent" "sip.via" "smb.named_pipe" "smb.ntlmssp_domain" "smb.ntlmssp_user" "smb.share" "smb.version" "smb_named_pipe" "smb_share"
    "smtp.helo" "smtp.mail_from" "smtp.rcpt_to" "snmp.community" "snmp.pdu_type" "snmp.usm" "snmp.version" "ssh.proto" "ssh.protoversion" "ssh.software"
    "ssh.softwareversion" "ssh.hassh.string" "ssh.hassh.server.string" "ssh_proto" "ssh_software" "ssl_state" "ssl_version" "stream-event" "stream_size" "strip_pseudo_headers" "strip_whitespace" "tag" "tcp.hdr"
    "tcp.mss" "tcp.wscale" "tcpv4-csum" "tcpv6-csum" "template" "tls.cert_chain_len" "tls.cert_fingerprint" "tls.cert_issuer" "tls.cert_serial"
    "tls.cert_subject" "tls.certs" "tls.alpn" "tls.fingerprint" "tls.issuerdn" "tls.random" "tls.random_bytes" "tls.random_time" "tls.store" "tls.subject"
    "tls.subjectaltname" "tls.version" "tls_cert_expired" "tls_cert_fingerprint" "tls_cert_issuer" "tls_cert_notafter" "tls_cert_notbefore"
    "tls_cert_serial" "tls_cert_subject" "tls_cert_valid" "to_uppercase" "tos" "ttl" "udp.hdr"
    "udpv4-csum" "udpv6-csum" "uricontent" "urilen" "url_decode" "vlan.id" "vlan.layers" "websocket.flags" "websocket.mask" "websocket.opcode" "websocket.payload" "window" "within_var" "xor"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_a_keyword_with_our_word() {
        assert_eq!(refused("PCRE"), Refusal::Unsupported("option pcre"));
        assert_eq!(refused("evil.example"), Refusal::Unsupported("an unknown option"));
    }
}
