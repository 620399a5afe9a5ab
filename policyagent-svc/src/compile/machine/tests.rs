use super::*;
use std::path::Path;

#[test]
fn me_is_no_loopback_and_no_link_local_address() {
    for address in ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "0.0.0.0"] {
        assert!(!is_me(address.parse().unwrap()), "{address}");
    }
    for address in ["10.0.0.1", "2001:db8::1", "fd00::1"] {
        assert!(is_me(address.parse().unwrap()), "{address}");
    }
    let machine = Machine::of_interfaces().unwrap();
    assert!(machine.addresses.iter().all(|address| !address.is_loopback()));
    let lo = machine.link("lo".parse().unwrap()).expect("every machine has it");
    assert_eq!(machine.link(lo.0.to_string().parse().unwrap()), Some(lo));
    assert_eq!(machine.link("no-such-link".parse().unwrap()), None);
}

fn on(address: &str, index: u32) -> HostAddress {
    HostAddress::new(address.parse().unwrap(), Scope(index))
}

#[test]
fn link_local_addresses_are_kept_with_their_links_and_connection_types_apart() {
    let mut machine = Machine::default();
    machine.add(on("fe80::1", 2), false);
    machine.add(on("fe80::1", 3), true);
    machine.add(on("10.0.0.1", 2), false);
    machine.add(on("10.0.0.2", 3), true);
    machine.add(on("127.0.0.1", 1), true);
    assert_eq!((machine.addresses.len(), machine.on_links.len()), (2, 2));
    let of = |connection| {
        let addresses: Vec<_> = machine.addresses_of(connection).map(|address| address.to_string()).collect();
        (addresses, machine.on_links_of(connection).map(|address| address.scope().0).collect::<Vec<_>>())
    };
    assert_eq!(of(ConnectionType::Lan), (vec!["10.0.0.1".to_owned()], vec![2]));
    assert_eq!(of(ConnectionType::Dialup), (vec!["10.0.0.2".to_owned()], vec![3]));
    assert_eq!(of(ConnectionType::All).1, [2, 3]);
    assert!(is_dialup("ppp0", InterfaceFlags::IFF_UP) && is_dialup("x", InterfaceFlags::IFF_POINTOPOINT));
    assert!(!is_dialup("eth0", InterfaceFlags::IFF_UP | InterfaceFlags::IFF_BROADCAST));
}

/// A system's files.
struct System(PathBuf);

impl System {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("policyagent-system-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(root)
    }

    /// The servers of a kind as they are printed, for a machine that has 10.0.0.5 and fe80::5 on eth0, which is 2.
    fn find(&self, server: Server, wins_servers: &[&str]) -> Vec<String> {
        let sources = Sources {
            system: self.0.clone(),
            own: PathBuf::new(),
            authorities: PathBuf::new(),
            link_local: true,
            wins_servers: wins_servers.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let machine = Machine {
            addresses: ["10.0.0.5".parse().unwrap()].into(),
            on_links: [on("fe80::5", 2)].into(),
            interfaces: [("eth0".parse().unwrap(), Scope(2))].into(),
            ..Machine::default()
        };
        sources.find(server, &machine).iter().map(ToString::to_string).collect()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn name_servers_are_those_of_resolv_conf_and_behind_the_stub_those_of_systemd() {
    let plain = "# nameserver 10.0.0.9\nsearch example\nnameserver 10.0.0.1\n nameserver fe80::1%eth0\nnameserver 10.0.0.5\n\
                 nameserver fe80::1\nnameserver ::1\nnameserver 2001:db8::53 # ours\n";
    let uplinks = "nameserver 10.1.0.1\n";
    let stub = "nameserver 127.0.0.53\noptions edns0\n";
    let system = System::new("dns", &[("etc/resolv.conf", plain), ("run/systemd/resolve/resolv.conf", uplinks)]);
    assert_eq!(system.find(Server::Dns, &[]), ["10.0.0.1", "2001:db8::53", "fe80::1%2"]);
    std::fs::write(system.0.join("etc/resolv.conf"), stub).unwrap();
    assert_eq!(system.find(Server::Dns, &[]), ["10.1.0.1"]);
    assert_eq!(System::new("none", &[]).find(Server::Dns, &[]), [""; 0]);
}

#[test]
fn wins_servers_are_those_of_the_settings_or_of_samba() {
    let text =
        "[global]\n; wins server = 10.0.0.9\n  WINS Server = 10.0.0.2 eth1:10.0.0.3,10.0.0.4\n wins support = no\n";
    let system = System::new("wins", &[("etc/samba/smb.conf", text)]);
    assert_eq!(system.find(Server::Wins, &[]), ["10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    assert_eq!(system.find(Server::Wins, &["10.7.0.1"]), ["10.7.0.1"]);
}

#[test]
fn dhcp_servers_are_those_that_gave_an_address_the_machine_still_has() {
    let networkd = "# This is private data.\nADDRESS=10.0.0.5\nNETMASK=255.255.255.0\nSERVER_ADDRESS=10.0.0.1\n";
    let old = "ADDRESS=10.9.0.5\nSERVER_ADDRESS=10.9.0.1\n";
    let dhclient = "lease {\n  fixed-address 10.0.0.5;\n  option dhcp-server-identifier 10.0.0.2;\n}\n\
                    lease {\n  interface \"eth0\";\n  fixed-address 10.0.0.5;\n  option dhcp-server-identifier 10.0.0.3;\n}\n\
                    lease {\n  fixed-address 10.8.0.5;\n  option dhcp-server-identifier 10.8.0.3;\n}\n";
    let system = System::new(
        "dhcp",
        &[
            ("run/systemd/netif/leases/2", networkd),
            ("var/lib/NetworkManager/internal-1-eth0.lease", old),
            ("var/lib/NetworkManager/secret_key", networkd),
        ],
    );
    assert_eq!(system.find(Server::Dhcp, &[]), ["10.0.0.1"]);
    let system = System::new("dhclient", &[("var/lib/dhcp/dhclient.eth0.leases", dhclient)]);
    assert_eq!(system.find(Server::Dhcp, &[]), ["10.0.0.3"]);
    assert!(system.0.join("etc").metadata().is_err() && Path::new("/").is_dir());
}

#[test]
fn a_policy_needs_what_its_filters_and_methods_name() {
    use crate::model::tests::{GOOD, parse};
    let needs = |from: &str, to: &str| Needs::of([&parse(&GOOD.replace(from, to)).unwrap()]);
    let peer = |side: &str| needs("\"10.9.0.2\"", &format!("{side:?}"));
    assert_eq!(peer("10.9.0.3"), Needs::default());
    for side in ["fe80::1%eth0", "fe80::/10"] {
        assert_eq!(peer(side), Needs { links: true, ..Needs::default() });
    }
    assert_eq!(peer("Host.Example"), Needs { hosts: ["host.example".to_owned()].into(), ..Needs::default() });
    assert_eq!(peer("dns"), Needs { links: true, servers: [Server::Dns].into(), ..Needs::default() });
    let certificates = needs("preshared_key = \"correct horse\"", "root_ca = \"CN=root\"");
    assert_eq!(certificates, Needs { certificates: true, ..Needs::default() });
    let lan = needs("filter_list = \"b hosts\"", "filter_list = \"b hosts\"\nconnection_type = \"lan\"");
    assert_eq!(lan, Needs { connection_types: true, ..Needs::default() });
}

#[test]
fn a_network_has_a_broadcast_address_unless_it_is_a_link() {
    let of = |mask: [u8; 4]| broadcast(Ipv4Addr::new(10, 9, 1, 4), mask.into());
    assert_eq!(of([255, 255, 255, 0]), Some(Ipv4Addr::new(10, 9, 1, 255)));
    assert_eq!(of([255, 255, 255, 252]), Some(Ipv4Addr::new(10, 9, 1, 7)));
    assert_eq!((of([255, 255, 255, 254]), of([255; 4])), (None, None));
}
