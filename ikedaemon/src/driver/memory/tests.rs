use super::*;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::{Direction, TrafficAction};
use ikecore::secret::Secret;
use ikecore::wire::codes::ProtocolId;
use std::net::IpAddr;

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn alloc() -> SaOp {
    SaOp::AllocSpi { protocol: ProtocolId::ESP, source: ip(2), destination: ip(1), mode: Mode::Transport, reqid: 1 }
}

fn spec(direction: Direction, spi: Spi) -> SaSpec {
    let (source, destination) = match direction {
        Direction::Inbound => (ip(2), ip(1)),
        Direction::Outbound => (ip(1), ip(2)),
    };
    SaSpec {
        direction,
        spi,
        suite: IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) },
        mode: Mode::Transport,
        source,
        destination,
        scope: ikecore::address::Scope::ANY,
        selector: Selector::between(Prefix::host(ip(1)), Prefix::host(ip(2))),
        encapsulation: None,
        encryption_key: Secret::new(vec![1; 16]),
        integrity_key: Secret::new(vec![2; 20]),
        cpi: None,
        outer: None,
        reqid: 1,
        replay_window: 64,
        extended_sequence_numbers: false,
        soft: Lifetime::default(),
        hard: Lifetime::default(),
    }
}

fn pair(id: u64, spi: Spi) -> SaPair {
    let inbound = spec(Direction::Inbound, spi);
    let policy = TrafficPolicy { selector: inbound.selector, action: TrafficAction::Block, priority: 1, reqid: 1 };
    SaPair { id: IpsecSaId(id), inbound, outbound: spec(Direction::Outbound, Spi(9)), policy }
}

fn next(driver: &mut MemoryDriver) -> Option<DriverMessage> {
    match driver.poll_message(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(message) => Some(message),
        Poll::Pending => None,
    }
}

fn answer(driver: &mut MemoryDriver, ask: u64, operation: SaOp) -> SaAnswer {
    driver.submit(AskId(ask), operation);
    match next(driver) {
        Some(DriverMessage::Answer(of, answer)) if of == AskId(ask) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn operations_are_recorded_and_kept() {
    let (mut driver, script) = MemoryDriver::new();
    let SaAnswer::Spi(Ok(spi)) = answer(&mut driver, 1, alloc()) else { panic!("no SPI") };
    assert_eq!(spi, FIRST_SPI);
    assert_eq!(script.reserved().len(), 1);
    let [inbound, outbound] = pair(5, spi).steps();
    assert!(matches!(answer(&mut driver, 2, inbound), SaAnswer::Done(Ok(()))));
    assert!(script.reserved().is_empty());
    assert_eq!((script.halves(), script.pairs()), (vec![IpsecSaId(5)], vec![]));
    assert!(matches!(answer(&mut driver, 2, outbound), SaAnswer::Done(Ok(()))));
    assert_eq!((script.halves(), script.pairs()), (vec![], vec![IpsecSaId(5)]));
    assert_eq!(script.with_pair(IpsecSaId(5), |pair| pair.inbound.spi), Some(spi));
    for step in pair(6, spi).steps() {
        assert!(matches!(answer(&mut driver, 3, step), SaAnswer::Done(Err(_))));
    }
    let usage = Usage { inbound_packets: 3, ..Usage::default() };
    script.set_usage(IpsecSaId(5), usage);
    assert!(matches!(answer(&mut driver, 4, SaOp::Query(IpsecSaId(5))), SaAnswer::Usage(Ok(found)) if found == usage));
    let delete = || SaOp::Delete { id: IpsecSaId(5), inbound: pair(5, spi).inbound.names().collect() };
    assert!(matches!(answer(&mut driver, 5, delete()), SaAnswer::Done(Ok(()))));
    assert!(matches!(answer(&mut driver, 6, delete()), SaAnswer::Done(Ok(()))));
    assert!(matches!(answer(&mut driver, 7, SaOp::Query(IpsecSaId(5))), SaAnswer::Usage(Err(_))));
    assert!(script.pairs().is_empty());
    let kinds: Vec<Kind> = script.records().into_iter().map(|record| record.kind).collect();
    let expected = [
        Kind::AllocSpi,
        Kind::InstallInbound,
        Kind::InstallOutbound,
        Kind::InstallInbound,
        Kind::InstallOutbound,
        Kind::Query,
        Kind::Delete,
        Kind::Delete,
        Kind::Query,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(script.records()[0].object, "ESP (3) from 10.0.0.2 to 10.0.0.1");
}

#[test]
fn answers_wait_for_the_script() {
    let (mut driver, script) = MemoryDriver::new();
    script.set_on_demand(true);
    driver.submit(AskId(1), alloc());
    driver.submit(AskId(2), alloc());
    assert!(next(&mut driver).is_none());
    assert_eq!(script.waiting(), 2);
    assert!(script.answer());
    assert!(matches!(next(&mut driver), Some(DriverMessage::Answer(AskId(1), _))));
    assert!(next(&mut driver).is_none());
    assert!(script.answer());
    assert!(!script.answer());
}

#[test]
fn the_nth_operation_of_a_kind_fails() {
    let (mut driver, script) = MemoryDriver::new();
    script.fail(Kind::AllocSpi, 2, "no room");
    script.fail(Kind::InstallInbound, 1, "no keys");
    script.fail(Kind::InstallOutbound, 1, "no policy");
    assert!(matches!(answer(&mut driver, 1, alloc()), SaAnswer::Spi(Ok(_))));
    let SaAnswer::Spi(Err(error)) = answer(&mut driver, 2, alloc()) else { panic!("it did not fail") };
    assert_eq!(error.to_string(), "driver memory: AllocSpi ESP (3) from 10.0.0.2 to 10.0.0.1: no room");
    assert!(matches!(answer(&mut driver, 3, alloc()), SaAnswer::Spi(Ok(_))));
    let [inbound, outbound] = pair(1, Spi(8)).steps();
    assert!(matches!(answer(&mut driver, 4, inbound), SaAnswer::Done(Err(_))));
    let [inbound, _] = pair(1, Spi(8)).steps();
    assert!(matches!(answer(&mut driver, 5, inbound), SaAnswer::Done(Ok(()))));
    assert!(matches!(answer(&mut driver, 6, outbound), SaAnswer::Done(Err(_))));
    assert_eq!((script.halves(), script.pairs()), (vec![IpsecSaId(1)], vec![]), "the first step stands");
    let [_, outbound] = pair(1, Spi(8)).steps();
    assert!(matches!(answer(&mut driver, 7, outbound), SaAnswer::Done(Ok(()))));
}

#[test]
fn a_lost_driver_answers_nothing_more() {
    let (mut driver, script) = MemoryDriver::new();
    script.set_on_demand(true);
    driver.submit(AskId(1), alloc());
    script.lose("pulled");
    assert!(matches!(next(&mut driver), Some(DriverMessage::Lost(reason)) if reason == "pulled"));
    script.set_on_demand(false);
    driver.submit(AskId(2), alloc());
    assert!(!script.answer());
    assert!(next(&mut driver).is_none());
}

#[test]
fn the_script_tells_and_wakes() {
    struct Noted(std::sync::atomic::AtomicBool);
    impl std::task::Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let (mut driver, script) = MemoryDriver::new();
    let noted = Arc::new(Noted(false.into()));
    let waker = Waker::from(Arc::clone(&noted));
    assert!(driver.poll_message(&mut Context::from_waker(&waker)).is_pending());
    let sa = SaName { protocol: ProtocolId::ESP, destination: ip(1), spi: Spi(8) };
    script.expire(sa, true);
    assert!(noted.0.load(std::sync::atomic::Ordering::SeqCst));
    script.mapping(sa, (ip(3), 4500).into());
    assert!(matches!(next(&mut driver), Some(DriverMessage::Expire(expire)) if expire.hard && expire.sa == sa));
    assert!(matches!(next(&mut driver), Some(DriverMessage::Mapping(mapping)) if mapping.remote.ip() == ip(3)));
}
