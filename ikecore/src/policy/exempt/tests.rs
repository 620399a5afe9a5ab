use super::*;
use crate::address::Scope;
use crate::policy::db::PolicyDb;

fn flow(local: &str, remote: &str, protocol: u8, ports: (u16, u16)) -> Flow {
    let address = |text: &str| text.parse().expect("an address");
    Flow {
        local: address(local),
        remote: address(remote),
        protocol,
        local_port: ports.0,
        remote_port: ports.1,
        scope: Scope::ANY,
    }
}

#[test]
fn each_value_exempts_what_it_says() {
    let own = "10.9.0.1";
    // Leaving, then arriving.
    let cases = [
        (flow(own, "224.0.0.251", 17, (5353, 5353)), [true, true, false, false]),
        (flow("239.255.255.255", "10.9.0.2", 17, (5353, 5353)), [true; 4]),
        (flow(own, "255.255.255.255", 17, (68, 67)), [true, true, false, false]),
        (flow("255.255.255.255", "10.9.0.2", 17, (68, 67)), [true; 4]),
        (flow(own, "10.9.0.255", 17, (137, 137)), [true, true, false, false]),
        (flow("10.9.0.255", "10.9.0.2", 17, (137, 137)), [true; 4]),
        (flow("2001:db8::1", "ff02::1", 58, (0, 0)), [true, true, false, false]),
        (flow("ff02::1", "2001:db8::2", 58, (0, 0)), [true; 4]),
        (flow(own, "10.9.0.2", 46, (0, 0)), [true, false, true, false]),
        (flow("2001:db8::1", "2001:db8::2", 46, (0, 0)), [true, false, true, false]),
        (flow(own, "10.9.0.2", 6, (1025, 88)), [true, false, true, false]),
        (flow(own, "10.9.0.2", 17, (88, 1025)), [true, false, true, false]),
        (flow(own, "10.9.0.2", 132, (88, 88)), [false; 4]),
        (flow(own, "10.9.0.2", 6, (1025, 80)), [false; 4]),
        (flow("10.9.0.254", "10.9.0.2", 17, (137, 137)), [false; 4]),
        // IKE is exempt by its sockets; others' packets of that port are not.
        (flow(own, "10.9.0.2", 17, (500, 500)), [false; 4]),
    ];
    for (flow, expected) in cases {
        let told = [0, 1, 2, 3].map(|number| {
            let exempt =
                DefaultExemptions::from_number(number).expect("a value").traffic(&[Ipv4Addr::new(10, 9, 0, 255)]);
            PolicyDb::default().with_exempt(exempt).exemption(&flow).is_some()
        });
        assert_eq!(told, expected, "{flow}");
    }
    assert_eq!(DefaultExemptions::from_number(4), None);
    assert_eq!(DefaultExemptions::from_number(3), Some(DefaultExemptions::default()));
}
