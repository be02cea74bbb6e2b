//! Addresses: pipe names, length limits, hosts, and endpoints as text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_proto::{
    Code, Config, Endpoint, EndpointError, Host, IpFamily, LocalAddress, Platform, Settings, TlsOptions, pipe_name,
};
use proptest::prelude::*;

fn settings(platform: Platform) -> Settings {
    Config::new("world").build(&Host::new("pluto", platform)).unwrap()
}

#[test]
fn a_pipe_is_named_after_the_path() {
    let windows = settings(Platform::Windows);
    let endpoint = Endpoint::local(&windows, None).unwrap();
    assert_eq!(endpoint.to_string(), r"pipe:\\.\pipe\tmp-app.world");
    assert!(endpoint.local_address().unwrap().is_pipe());
    for (path, name) in [
        ("/tmp/app.world", r"\\.\pipe\tmp-app.world"),
        ("//a/b", r"\\.\pipe\-a-b"),
        ("relative.sock", r"\\.\pipe\relative.sock"),
        (r"\\.\pipe\a/b", r"\\.\pipe\a/b"),
        (r"C:\x", r"\\.\pipe\C:\x"),
    ] {
        assert_eq!(pipe_name(path), name);
        assert_eq!(pipe_name(name), name, "a second time changes nothing");
    }
    let own = Config::v14_fast().id("w");
    let own = own.build(&Host::new("pc", Platform::Windows).with_user("ann")).unwrap();
    let endpoint = Endpoint::local(&own, None).unwrap();
    assert_eq!(endpoint.to_string(), r"pipe:\\.\pipe\node-ipc-ann-app.w");
}

#[test]
fn the_limit_of_a_path_is_the_platforms() {
    for (platform, limit) in [(Platform::Linux, 107), (Platform::Bsd, 103)] {
        let settings = settings(platform);
        let longest = "é".repeat(limit / 2) + "x";
        assert_eq!(longest.len(), limit);
        assert!(Endpoint::at_path(&settings, &longest).is_ok());
        let error = Endpoint::at_path(&settings, &(longest + "y")).unwrap_err();
        assert!(
            matches!(error, EndpointError::TooLong { length, limit: most, .. } if length == limit + 1 && most == limit)
        );
        assert!(error.to_string().contains(&format!("{limit} is the most here")), "{error}");
    }
    let windows = settings(Platform::Windows);
    assert!(Endpoint::at_path(&windows, &"é".repeat(247)).is_ok());
    assert!(Endpoint::at_path(&windows, &"é".repeat(248)).is_err());
}

#[test]
fn an_abstract_name_is_no_path_and_only_linux_has_it() {
    let linux = settings(Platform::Linux);
    let endpoint = Endpoint::abstract_name(&linux, "my/world").unwrap();
    assert_eq!(endpoint.to_string(), "abstract:my/world");
    assert_eq!("abstract:my/world".parse::<Endpoint>().unwrap(), endpoint);
    assert_ne!(endpoint, Endpoint::at_path(&linux, "my/world").unwrap());
    let address = endpoint.local_address().unwrap();
    assert!(address.is_abstract() && !address.is_pipe());
    assert_eq!(address.as_str(), "my/world");
    assert_eq!(linux.check_serving(&endpoint), Ok(()));

    assert!(Endpoint::abstract_name(&linux, &"x".repeat(107)).is_ok());
    assert!(Endpoint::abstract_name(&linux, &"x".repeat(108)).unwrap_err().to_string().contains("107 is the most"));
    assert_eq!(Endpoint::abstract_name(&linux, ""), Err(EndpointError::Empty { what: "abstract name" }));
    assert!(matches!(Endpoint::abstract_name(&linux, "a\0"), Err(EndpointError::Nul { .. })));
    for platform in [Platform::Bsd, Platform::Windows] {
        let error = Endpoint::abstract_name(&settings(platform), "x").unwrap_err();
        assert!(error.to_string().contains("only Linux"), "{error}");
        assert!(matches!(settings(platform).check(&endpoint), Err(EndpointError::Abstract { .. })));
    }
}

#[test]
fn an_abstract_name_cannot_keep_what_only_a_file_has() {
    let host = Host::new("pluto", Platform::Linux);
    for config in [Config::new("world").socket_mode(0o660), Config::new("world").socket_group("staff")] {
        let error = Endpoint::abstract_name(&config.build(&host).unwrap(), "x").unwrap_err();
        assert!(error.to_string().contains("accept filter"), "{error}");
    }
    let assured = Config::v14_assured(["a"]).build(&host).unwrap();
    // A name that looks like a path inside socketRoot is none.
    let name = format!("{}x", assured.socket_root());
    assert!(matches!(Endpoint::abstract_name(&assured, &name), Err(EndpointError::AssuredTransport { .. })));
}

#[test]
fn a_parsed_endpoint_is_checked_when_it_meets_settings() {
    let long: Endpoint = format!("unix:/{}", "p".repeat(107)).parse().unwrap();
    let error = settings(Platform::Linux).check(&long).unwrap_err();
    assert!(matches!(error, EndpointError::TooLong { .. }));
}

#[test]
fn what_no_socket_can_have_is_refused() {
    let settings = settings(Platform::Linux);
    assert_eq!(Endpoint::local(&settings, Some("")), Err(EndpointError::Empty { what: "id" }));
    assert_eq!(Endpoint::at_path(&settings, ""), Err(EndpointError::Empty { what: "path" }));
    let nul = Endpoint::local(&settings, Some("a\0b")).unwrap_err();
    assert_eq!(nul.to_string(), r#"the socket path "/tmp/app.a\0b" has a NUL character, which no path may have"#);
    assert!(LocalAddress::new("/", Platform::Windows).is_err());
}

#[test]
fn hosts_are_names_or_addresses() {
    let settings = settings(Platform::Linux);
    for host in ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "my_host.example.com", "münchen.de"] {
        let endpoint = Endpoint::net(&settings, Some(host), Some(1)).unwrap();
        assert_eq!(endpoint.host(), Some(host));
    }
    for host in ["[::1]", "a b", "host:80", "a/b", "a\nb", "\0", "::1:zz"] {
        let error = Endpoint::net(&settings, Some(host), None).unwrap_err();
        assert!(matches!(error, EndpointError::Host { .. }), "{host:?}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn udp_keeps_to_its_family() {
    let plain = settings(Platform::Linux);
    let host = |endpoint: Result<Endpoint, EndpointError>| endpoint.map(|endpoint| endpoint.host().unwrap().to_owned());
    assert_eq!(host(Endpoint::udp4(&plain, Some("::1"), None)).unwrap(), "127.0.0.1");
    assert_eq!(host(Endpoint::udp6(&plain, None, None)).unwrap(), "::1");
    let refused = Endpoint::udp4(&plain, Some("fe80::1"), None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "fe80::1 cannot be used with UDP over IPv4; give an address of that family, or take the other"
    );
    assert!(matches!(
        Endpoint::udp6(&plain, Some("127.0.0.1"), None),
        Err(EndpointError::Family { family: IpFamily::V6, .. })
    ));
    let configured = Config::v9().network_host("127.0.0.2");
    let configured = configured.build(&Host::new("h", Platform::Linux)).unwrap();
    assert!(Endpoint::udp6(&configured, None, None).is_err(), "said, and wrong");
}

#[test]
fn tls_is_refused_where_it_would_be_ignored() {
    let config = Config::v9().tls(TlsOptions::new());
    let settings = config.build(&Host::new("h", Platform::Linux)).unwrap();
    assert!(Endpoint::net(&settings, None, None).is_ok());
    assert_eq!(Endpoint::udp4(&settings, None, None), Err(EndpointError::TlsOverUdp));
    assert_eq!(EndpointError::TlsOverUdp.code(), Some(Code::TlsConfiguration));
}

#[test]
fn the_address_family_option_decides_the_default_host() {
    let host = Host::new("h", Platform::Linux);
    let settings = Config::v9().ip_type(IpFamily::V6).build(&host).unwrap();
    let endpoint = Endpoint::net(&settings, None, None).unwrap();
    assert_eq!(endpoint.to_string(), "tcp:[::1]:8000");
    assert_eq!(endpoint.family(), Some(IpFamily::V6));
}

#[test]
fn port_zero_leaves_the_choice_to_the_system() {
    let endpoint = Endpoint::net(&settings(Platform::Linux), None, Some(0)).unwrap();
    assert_eq!(endpoint.port(), Some(0));
    assert_eq!(endpoint.with_port(4711).to_string(), "tcp:127.0.0.1:4711");
}

#[test]
fn text_that_is_no_endpoint_is_refused() {
    for text in [
        "",
        "world",
        "unix:",
        "pipe:",
        "http:a:1",
        "tcp:a",
        "tcp:a:",
        "tcp:a:+1",
        "tcp:a:-1",
        "tcp:a:65536",
        "tcp::80",
        "tcp:::1:80",
        "tcp:[::1:80",
        "tcp:[a]b:80",
        "tcp:a b:80",
        "unix:a\0",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
    }
    let error = "\n".repeat(1000).parse::<Endpoint>().unwrap_err().to_string();
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
}

proptest! {
    #[test]
    fn text_reads_back(host in "[a-z0-9.-]{1,12}|::1|fe80::[1-9]%e0", port: u16, path in "[^\0]{1,40}", kind in 0..6) {
        let text = match kind {
            0 => format!("unix:{path}"),
            5 => format!("abstract:{path}"),
            1 => format!(r"pipe:\\.\pipe\{path}"),
            kind => {
                let scheme = ["tcp", "udp4", "udp6"][kind as usize - 2];
                let host = if host.contains(':') { format!("[{host}]") } else { host };
                format!("{scheme}:{host}:{port}")
            }
        };
        let endpoint: Endpoint = text.parse().unwrap();
        prop_assert_eq!(endpoint.to_string(), text);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Endpoint>();
        let _ = format!("tcp:{text}").parse::<Endpoint>();
        let _ = Endpoint::at_path(&settings(Platform::Windows), &text);
    }
}

#[test]
fn a_pipe_may_be_written_as_text_everywhere_and_datagrams_are_told_apart() {
    let pipe: Endpoint = "pipe:world".parse().unwrap();
    assert_eq!(pipe.to_string(), r"pipe:\\.\pipe\world");
    for (text, datagrams) in [("unix:/a", false), ("tcp:a:1", false), ("udp4:a:1", true), ("udp6:a:1", true)] {
        assert_eq!(text.parse::<Endpoint>().unwrap().is_udp(), datagrams, "{text}");
    }
}
