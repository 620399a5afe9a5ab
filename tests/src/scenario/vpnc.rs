//! vpnc, a client of aggressive mode with extended authentication and Mode Config.

use std::time::Duration;

use crate::capture::{Capture, Kind};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, World};
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;

use super::Role;
use super::remote_access::{PASSWORD, USER, add_user};

const PATIENCE: Duration = Duration::from_secs(20);

/// What vpnc calls its group: it is its identity, ID_KEY_ID, in hexadecimal digits.
const GROUP: &str = "office";
const GROUP_DIGITS: &str = "6f6666696365";

const LEASE: &str = "10.99.0.1";

/// The gateway for it: vpnc has SHA-1 and proposes all traffic, which its script narrows by routes.
fn policy() -> String {
    format!(
        r#"[[policy]]
name = "clients"
assigned = true

[policy.main_mode]
offers = ["aes256-sha1-modp1024"]

[[policy.rule]]
name = "clients"
filter_list = "clients"
filter_action = "protect"
authentication = [{{ preshared_key = "correct horse battery" }}]
tunnel = {{ local = "{}", remote = "any" }}
remote_id = "key-id:{GROUP_DIGITS}"
aggressive_mode = "exposes the pre-shared key to guessing"
xauth = "server"
mode_config = {{ pool = "office" }}

[[filter_list]]
name = "clients"
filters = [{{ source = "0.0.0.0/0", destination = "pool" }}]

[[filter_action]]
name = "protect"
action = "negotiate"
offers = [{{ esp = "aes256-sha1" }}]

[[pool]]
name = "office"
addresses = ["10.99.0.1-10.99.0.9"]
dns = ["10.10.1.53"]
split_networks = ["{}"]
domain = "office.example"
banner = "Welcome"
"#,
        A.wire, A.net
    )
}

/// What vpnc runs when it has its address: it says what it was told, and sets up its device.
const SCRIPT: &str = r#"#!/bin/sh
echo "script $reason $INTERNAL_IP4_ADDRESS $INTERNAL_IP4_DNS $CISCO_DEF_DOMAIN $CISCO_SPLIT_INC_0_ADDR/$CISCO_SPLIT_INC_0_MASKLEN $CISCO_BANNER"
[ "$reason" = connect ] || exit 0
ip link set "$TUNDEV" up mtu 1300
ip addr add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip route add "$CISCO_SPLIT_INC_0_ADDR/$CISCO_SPLIT_INC_0_MASKLEN" dev "$TUNDEV" src "$INTERNAL_IP4_ADDRESS"
echo script done
"#;

/// vpnc connects, and pings a host behind the gateway.
pub fn connects() {
    let _row = Row::new(
        "Aggressive mode, XAuth, Mode Config (pull), traffic",
        "vpnc",
        Driver::Userspace,
        Role::Responder.alone(),
    );
    let world = World::new();
    world.b.run("ip", &["addr", "flush", "dev", "lo", "scope", "global"]);
    world.b.run("ip", &["route", "flush", "10.10.1.0/24"]);
    let capture = Capture::start(&world);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy());
    add_user(&daemon, PASSWORD);
    let scratch = Scratch::new("vpnc");
    let script = scratch.write("script", SCRIPT);
    let configuration = format!(
        "IPSec gateway {}\nIPSec ID {GROUP}\nIPSec secret correct horse battery\nXauth username {USER}\n\
         Xauth password {PASSWORD}\nIKE DH Group dh2\nPerfect Forward Secrecy nopfs\nNAT Traversal Mode force-natt\n\
         Script sh {}\nPidfile {}\nDPD idle timeout (our side) 0\n",
        A.wire,
        script.display(),
        scratch.join("pid").display()
    );
    let configuration = scratch.write("vpnc.conf", &configuration).display().to_string();
    let arguments = ["--no-detach", "--non-inter", "--debug", "2", &configuration];
    let mut vpnc = Process::start(&world.b, &scratch, "vpnc.log", "vpnc", &arguments);
    let connected = wait_until(PATIENCE, || vpnc.log().contains("script done"));
    assert!(connected, "{}\n{}", vpnc.log(), daemon.oakley());
    let told = format!("script connect {LEASE} 10.10.1.53 office.example {} Welcome", A.net);
    assert!(vpnc.log().contains(&told), "{}", vpnc.log());
    assert!(world.b.ping_until_answered(LEASE, A.inside, PATIENCE), "{}\n{}", vpnc.log(), daemon.oakley());
    assert_eq!(world.b.ping(LEASE, A.inside, 3), 3, "{}", daemon.oakley());
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    let sa = daemon.status()["ike_sas"][0].clone();
    assert_eq!((sa["user"].as_str(), sa["addresses"][0].as_str()), (Some(USER), Some(LEASE)), "{sa}");
    vpnc.stop();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}
