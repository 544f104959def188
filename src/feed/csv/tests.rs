use super::super::tests::{loaded, loaded_named};
use super::*;
use crate::indicator::kind::{CERTIFICATE, DOMAIN, FILE, IPV4, URL};
use crate::indicator::{ContextRef, Indicator, IndicatorSet, Match};

fn context<'a>(set: &'a IndicatorSet, one: &Indicator<'_>) -> ContextRef<'a> {
    set.sources(one.ix).next().expect("a source").0
}

#[test]
fn the_known_exports_are_read() {
    let exports: [(&str, &[&Kind], u64); 7] = [
        (
            "################\n# abuse.ch URLhaus Database Dump (CSV - recent URLs only)\n#\n\
             # id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\n\
             \"1\",\"2024-08-12 05:54:07\",\"http://malware.test/x,y\",\"online\",\"\",\"malware_download\",\"elf,mozi\",\"https://r.example/1\",\"me\"\n\
             # Number of entries: 1\n",
            &[&URL],
            0,
        ),
        (
            "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"malware_printable\",\"confidence_level\",\"reference\",\"tags\"\n\
             \"2024-08-12 05:54:07\", \"1\", \"192.0.2.1:443\", \"ip:port\", \"botnet_cc\", \"Examplebot\", \"75\", \"None\", \"a,b\"\n\
             \"2024-08-12 05:54:07\", \"2\", \"evil.example\", \"domain\", \"botnet_cc\", \"Examplebot\", \"75\", \"None\", \"\"\n",
            &[&IPV4, &DOMAIN],
            0,
        ),
        (
            "# \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n\
             \"2024-08-12 05:54:07\",\"192.0.2.1\",\"443\",\"online\",\"2024-08-12\",\"Examplebot\"\n",
            &[&IPV4],
            0,
        ),
        (
            "# \"first_seen_utc\",\"sha256_hash\",\"md5_hash\",\"sha1_hash\",\"reporter\",\"file_name\",\"signature\"\n\
             \"2024-08-12 05:54:07\", \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\", \
             \"d41d8cd98f00b204e9800998ecf8427e\", \"da39a3ee5e6b4b0d3255bfef95601890afd80709\", \"me\", \"x.exe\", \"Examplebot\"\n",
            &[&FILE, &FILE, &FILE],
            0,
        ),
        (
            "Indicator type,Indicator,Description\nIPv4,192.0.2.1,\"two\nlines\"\nhostname,a.evil.example,\nFileHash-MD5,d41d8cd98f00b204e9800998ecf8427e,\n\
             Mutex,x,\nCVE,CVE-2024-0001,\n",
            &[&IPV4, &DOMAIN, &FILE],
            2,
        ),
        (
            "uuid,event_id,category,type,value,comment,to_ids,date,object_relation,attribute_tag\r\n\
             8c0622f2-435a-5b0f-b1cb-93c88749cbaa,1,Network activity,domain,evil.example,why,1,1700000000,,\"tlp:amber,x\"\r\n\
             8c0622f2-435a-5b0f-b1cb-93c88749cbab,1,Network activity,domain,other.example,why,0,1700000000,,\r\n",
            &[&DOMAIN],
            1,
        ),
        ("ioc;type;tlp\nevil.example;domain;RED\n192.0.2.0/24;ip;GREEN\n", &[&DOMAIN, &IPV4], 0),
    ];
    for (text, kinds, refused) in exports {
        let (set, report) = loaded(text.as_bytes());
        assert_eq!(report.format, Some("csv"), "{text}");
        assert_eq!((report.refused_total(), &report.error), (refused, &None), "{text} {:?}", report.refusals);
        assert_eq!(set.iter().map(|one| one.kind).collect::<Vec<_>>(), kinds, "{text}");
    }
}

use crate::indicator::Kind;

#[test]
fn a_row_says_what_holds_for_its_value() {
    let text = "value,type,description,provider,confidence,severity,first_seen,tags,tlp,pap,valid_until,malware,uuid\n\
        evil.example,hostname,\"a \"\"quoted\"\" text\",P,75,40,2024-01-15 08:00:00,\"misp-galaxy:threat-actor=\"\"Bear\"\",x\",GREEN,AMBER,2025-01-01,Bot,id-1\n";
    let (set, report) = loaded(text.as_bytes());
    assert_eq!(report.loaded, 1, "{:?} {:?}", report.refusals, report.error);
    let one = set.iter().next().expect("one");
    assert_eq!((one.matching, &*one.id(), one.window.until.secs()), (Match::Exact, "id-1", 1_735_689_600));
    let said = context(&set, &one);
    assert_eq!((said.provider, said.confidence, said.severity), (Some("P"), Some("High"), Some(40)));
    assert_eq!((said.description, said.first_seen), (Some("a \"quoted\" text"), Some("2024-01-15T08:00:00Z")));
    assert_eq!(said.marking.to_string(), "TLP:GREEN PAP:AMBER");
    let about: Vec<_> = said.about.iter().map(|(path, text)| (path.0, text)).collect();
    assert_eq!(about, [("threat.group.name", "Bear"), ("tags", "x"), ("threat.software.name", "Bot")]);
}

#[test]
fn columns_can_be_declared() {
    let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let text = format!(
        "# picket: columns=-,x509-certificate,description tlp=RED\nListingdate,SHA1,Listingreason\n2024-01-01,{sha1},C2\n"
    );
    let (set, report) = loaded(text.as_bytes());
    assert_eq!((report.format, report.loaded), (Some("csv"), 1), "{:?}", report.refusals);
    let one = set.iter().next().expect("one");
    assert_eq!((one.kind, context(&set, &one).marking.to_string()), (&CERTIFICATE, "TLP:RED".into()));
    let text = "# picket: columns=value,port separator=|\n192.0.2.1|80\n";
    assert_eq!(loaded(text.as_bytes()).0.iter().next().and_then(|one| one.port), Some(80));
    let text = "# picket: columns=value,type\nvalue,type\ndomain.example,domain\nurl.example,hostname\n";
    assert_eq!(loaded(text.as_bytes()).0.len(), 2);
    for bad in ["columns=value,colour", "columns=-,-", "columns=value separator=x", "columns=value,value"] {
        let (set, report) =
            loaded(format!("# picket: columns=value\n192.0.2.1\n# picket: {bad}\n192.0.2.2\n").as_bytes());
        assert_eq!(set.len(), 1);
        assert!(report.error.is_some_and(|e| e.starts_with("line 3: ")), "{bad}");
    }
}

#[test]
fn a_file_beside_the_feed_declares_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("writes");
    write("a.csv", "x;evil.example\n");
    write("a.csv.picket.toml", "columns = [\"-\", \"value\"]\nseparator = \";\"\ntlp = \"AMBER\"\nseverity = 70\n");
    write("b.txt", "192.0.2.1\n");
    write("b.txt.picket.toml", "tlp = \"RED\"\n");
    write("c.txt", "192.0.2.2\n");
    write("c.txt.picket.toml", "tlp = \n");
    write("d.txt", "192.0.2.3\n");
    write("d.txt.picket.toml", "colour = \"evil.example\"\n");
    write("e.intel", "#fields\tindicator\tindicator_type\n192.0.2.4\tIntel::ADDR\n");
    write("e.intel.picket.toml", "tlp = \"RED\"\n");
    let mut set = IndicatorSet::default();
    let options = super::super::Options::default();
    let report = super::super::load(&[dir.path().to_owned()], &options, &mut set).expect("loads");
    let markings: Vec<_> = set.iter().map(|one| context(&set, &one).marking.to_string()).collect();
    assert_eq!(markings, ["TLP:AMBER", "TLP:RED"], "{report:?}");
    let errors: Vec<_> = report.files.iter().filter_map(|file| file.error.as_deref()).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].ends_with("not TOML") && errors[1].contains("unknown option") && !errors[1].contains("evil"));
    assert!(errors[2].ends_with("cannot hold for a feed of this format; it was not loaded"));
    assert_eq!(report.skipped.len(), 5);
}

#[test]
fn bad_rows_are_counted_and_the_rest_loads() {
    let mut text = b"value,type,to_ids\na.example,domain,1\nshort\nb.example,domain,0\nc.example,colour,1\n,domain,1\n\xff\xfe,domain,1\n".to_vec();
    text.extend(format!("{}\n", "x,".repeat(300)).bytes());
    text.extend(format!("\"{}x\",domain,1\n", "x\n".repeat(80)).bytes());
    text.extend(b"d.example,domain,true\n");
    let (set, report) = loaded(&text);
    let names: Vec<_> = set.iter().map(|one| String::from_utf8_lossy(one.value).into_owned()).collect();
    assert_eq!(names, ["a.example", "d.example"], "{:?}", report.refusals);
    let first: Vec<_> = report.refusals.iter().take(6).map(|r| (r.line, r.reason)).collect();
    assert_eq!(
        first,
        [
            (3, Refusal::Malformed),
            (4, Refusal::Withdrawn),
            (5, Refusal::UnknownKind),
            (6, Refusal::Empty),
            (7, Refusal::BadName),
            (8, Refusal::TooLong),
        ]
    );
    let (set, report) = loaded(b"value,type\na.example,domain\n\"open,domain\nb.example,domain\n");
    assert_eq!(
        (set.len(), report.refused_total()),
        (1, 2),
        "an open quote swallows what follows, and each line is counted"
    );
}

#[test]
fn a_plain_list_stays_one() {
    for text in [
        "# ip, domain, url\nevil.example\n192.0.2.1\n",
        "url\nevil.example\n",
        "# value,type\nevil.example\n",
        "a.example,b\n",
    ] {
        assert_eq!(loaded(text.as_bytes()).1.format, Some("plain"), "{text}");
    }
    let (_, report) = loaded_named("x.csv", b"evil.example,x\n");
    assert_eq!(report.format, Some("plain"));
}
