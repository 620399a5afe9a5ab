//! Views as they are drawn, compared with stored screens; and what keys do.
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::app::{Action, App, Over};
use super::names::Names;
use super::screen::{Look, draw};
use super::search::{Search, Side};
use super::table::Table;
use super::view::{self, Told, View};
use super::{Format, printed};
use crate::control::example::example;
use crate::control::in_force::{
    FilterReport, InForceReport, MainModeOfferReport, MainModePolicyReport, PolicyInForceReport, QuickModeOfferReport,
    QuickModePolicyReport,
};
use crate::control::negotiations::{NegotiationReport, Outcome};
use crate::control::report::{IkeSuiteReport, Lifetime, StatusCode};

const ME: &str = "10.9.0.1";

fn filter(source: &str, destination: &str) -> FilterReport {
    FilterReport {
        rule: "to b".into(),
        weight: Some(70),
        ends_weight: Some(60),
        source: source.into(),
        destination: destination.into(),
        protocol: 6,
        source_port: 0,
        destination_port: 80,
        mirrored: true,
        connection_type: "all".into(),
        direction: None,
        action: "negotiate".into(),
        inbound_action: "negotiate".into(),
        main_mode_policy: Some("lab".into()),
        quick_mode_policy: Some("require".into()),
        inbound_passthrough: true,
        authentication: vec!["preshared key".into(), "certificate".into()],
        tunnel: Some(("10.9.0.1".into(), "10.9.0.2".into())),
    }
}

fn told() -> Told {
    let mut status = example();
    status.ike_sas[0].suite = Some(IkeSuiteReport {
        cipher: "AES-256-CBC".into(),
        hash: "SHA-256".into(),
        group: "MODP-2048".into(),
        authentication: "pre-shared key".into(),
    });
    let negotiation = |number: u64, outcome, failure: Option<&str>| NegotiationReport {
        negotiation: number.to_string(),
        age_seconds: 60 * number,
        role: "initiator".into(),
        cause: "command".into(),
        rule: Some("to b".into()),
        local: Some("10.9.0.1:500".parse().unwrap()),
        remote: Some(format!("10.9.0.{number}:500").parse().unwrap()),
        phase: (outcome != Outcome::UnderWay).then(|| "main mode".into()),
        outcome,
        seconds: number,
        failure: failure.map(str::to_owned),
        status: failure.map(|_| StatusCode { code: 13805, name: "ERROR_IPSEC_IKE_TIMED_OUT".into() }),
    };
    Told {
        status,
        in_force: InForceReport {
            policies: vec![PolicyInForceReport {
                name: "lab".into(),
                store: "local".into(),
                description: Some("for the lab".into()),
                last_modified: Some("2026-11-28T02:40:00Z".into()),
            }],
            main_mode_policies: vec![MainModePolicyReport {
                name: "lab".into(),
                offers: ["AES-256-CBC", "3DES-CBC"]
                    .map(|cipher| MainModeOfferReport {
                        cipher: cipher.into(),
                        hash: "SHA-1".into(),
                        group: "MODP-2048".into(),
                    })
                    .into(),
                lifetime: Lifetime { seconds: 28800, kilobytes: 0 },
                soft_lifetime_seconds: 300,
                quick_mode_limit: 5,
            }],
            quick_mode_policies: vec![QuickModePolicyReport {
                name: "require".into(),
                offers: [
                    "AH HMAC-SHA-1-96 with ESP AES-128-CBC HMAC-SHA-1-96 with IPComp DEFLATE",
                    "ESP AES-256-GCM-16",
                    "AH HMAC-MD5-96",
                ]
                .map(|suite| QuickModeOfferReport {
                    suite: suite.into(),
                    lifetime: Lifetime { seconds: 3600, kilobytes: 100_000 },
                })
                .into(),
                pfs: Some("MODP-2048".into()),
                inbound_passthrough: true,
                fallback_to_clear: false,
            }],
            filters: vec![filter(ME, "10.9.0.2"), filter(ME, "0.0.0.0/0"), filter("10.20.0.0/16", "10.9.0.128/25")],
            generic_filters: vec![FilterReport { weight: None, ends_weight: None, ..filter("me", "10.9.0.2") }],
        },
        negotiations: vec![
            negotiation(2, Outcome::UnderWay, None),
            negotiation(3, Outcome::Failed, Some("no answer of 10.9.0.3 to main mode message 1")),
            negotiation(4, Outcome::Succeeded, None),
        ],
    }
}

fn named(address: IpAddr) -> Option<String> {
    (address.to_string() == "10.9.0.2").then(|| "b.example.net".to_owned())
}

fn app() -> App {
    let mut app = App::new(5, false, Names::with(named), vec![ME.parse().unwrap()]);
    app.take(Ok(told()));
    app
}

fn drawn(app: &mut App, width: u16, colours: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, 24)).unwrap();
    terminal.draw(|frame| draw(frame, app, Look { colours })).unwrap();
    terminal
}

fn press(app: &mut App, codes: &[KeyCode]) -> Action {
    let mut last = Action::Draw;
    for code in codes {
        last = app.key(KeyEvent::new(*code, KeyModifiers::NONE));
    }
    last
}

fn type_line(app: &mut App, text: &str) {
    let keys: Vec<KeyCode> = text.chars().map(KeyCode::Char).chain([KeyCode::Enter]).collect();
    press(app, &keys);
}

#[track_caller]
fn assert_stored(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/monitor/tests").join(name);
    if std::env::var_os("MONITOR_WRITE_SCREENS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn every_view_is_drawn_as_stored() {
    let mut app = app();
    let mut all = String::new();
    for view in View::ALL {
        app.view = view;
        let screen = drawn(&mut app, 160, false);
        all += &format!("{}\n{}\n", view.key(), screen.backend());
    }
    assert_stored("views.txt", &all);
    // A narrow terminal, and before anything is told.
    let mut app = App::new(0, false, Names::with(named), Vec::new());
    assert_stored("waiting.txt", &drawn(&mut app, 80, false).backend().to_string());
}

#[test]
fn all_is_printed_as_stored() {
    let mut names = Some(Names::with(named));
    let own = [ME.parse().unwrap()];
    assert_stored("once.txt", &printed(&told(), &View::ALL, Format::Text, &own, &mut names));
    assert_stored("once.json", &printed(&told(), &View::ALL, Format::Json, &own, &mut None));
}

#[test]
fn help_details_and_search_lie_over_the_screen() {
    let mut app = app();
    press(&mut app, &[KeyCode::Char('?')]);
    assert_stored("help.txt", &drawn(&mut app, 100, false).backend().to_string());
    press(&mut app, &[KeyCode::Char('x'), KeyCode::End, KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    assert_stored("details.txt", &drawn(&mut app, 100, false).backend().to_string());
    press(&mut app, &[KeyCode::Esc, KeyCode::Char('/')]);
    type_line(&mut app, "nobody");
    assert_stored("search.txt", &drawn(&mut app, 100, false).backend().to_string());
}

#[test]
fn what_is_bad_and_what_is_chosen_is_seen_without_colours() {
    use ratatui::style::{Color, Modifier};
    for colours in [false, true] {
        let mut app = app();
        press(&mut app, &[KeyCode::End, KeyCode::Enter]);
        let terminal = drawn(&mut app, 120, colours);
        let buffer = terminal.backend().buffer();
        assert!(terminal.backend().to_string().contains("! 3 min 0 s ago"));
        assert!(buffer.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
        let coloured = buffer.content().iter().any(|cell| cell.fg != Color::Reset);
        assert_eq!(coloured, colours);
    }
}

fn rows(app: &mut App) -> Table {
    app.table().unwrap()
}

#[test]
fn filters_are_found_by_what_their_sides_are() {
    let mut app = app();
    let mut count = |view, source: &str, destination: &str| {
        app.view = view;
        press(&mut app, &[KeyCode::Char('/')]);
        type_line(&mut app, source);
        type_line(&mut app, destination);
        assert_eq!(app.over, Over::Nothing);
        rows(&mut app).rows.len()
    };
    let specific = View::QuickModeSpecificFilters;
    assert_eq!(count(specific, "", ""), 6);
    assert_eq!(count(specific, "me", ""), 2);
    assert_eq!(count(specific, "me", "any"), 1);
    assert_eq!(count(specific, "any", ""), 1);
    // An address is also among those of any.
    assert_eq!(count(specific, "me", "10.9.0.2"), 2);
    assert_eq!(count(specific, "10.20.7.7", "10.9.0.200"), 1);
    assert_eq!(count(specific, "10.21.0.1", "10.9.0.200"), 0);
    assert_eq!(count(specific, "*", "me"), 2);
    assert_eq!(count(View::MainModeGenericFilters, ME, "10.9.0.2"), 1);
    assert_eq!(count(View::MainModeGenericFilters, "10.9.0.2", ""), 0);
    assert_eq!(count(View::MainModeSas, "me", "10.9.0.2"), 1);
    assert_eq!(count(View::MainModeSas, "10.9.0.2", "me"), 0);
    press(&mut app, &[KeyCode::Char('c')]);
    assert!(app.search.is_empty());
}

#[test]
fn sides_are_read_and_told_alike() {
    for text in ["*", "any", "me", "10.9.0.2", "2001:db8::1"] {
        assert_eq!(text.parse::<Side>().unwrap().to_string(), text);
    }
    assert!("10.9.0".parse::<Side>().unwrap_err().contains("allowed: nothing, any, me, an address"));
}

#[test]
fn rows_are_sorted_by_numbers_where_there_are_some() {
    let mut app = app();
    app.view = View::Negotiations;
    let mut order = |keys: &[KeyCode]| {
        press(&mut app, keys);
        rows(&mut app).rows.iter().map(|row| row.cells[2].text.clone()).collect::<Vec<_>>()
    };
    let (up, down) = (["10.9.0.2", "10.9.0.3", "10.9.0.4"], ["10.9.0.4", "10.9.0.3", "10.9.0.2"]);
    let next = KeyCode::Char('s');
    assert_eq!(order(&[next]), up);
    assert_eq!(order(&[KeyCode::Char('S')]), down);
    // By the peer, as text.
    assert_eq!(order(&[next, next]), up);
    // After the last column comes the service's own order.
    assert_eq!(order(&[next; 9]), up);
    assert_eq!(app.sorted, None);
    let mut table = Table::new(&["n"]);
    for text in ["10", "9", "x", "100"] {
        table.row(vec![text.into()]);
    }
    table.sort(0, false);
    let cells: Vec<&str> = table.rows.iter().map(|row| row.cells[0].text.as_str()).collect();
    assert_eq!(cells, ["9", "10", "100", "x"]);
}

#[test]
fn keys_refresh_change_the_interval_and_end() {
    let mut app = app();
    assert_eq!(app.refresh_after(), Some(Duration::from_secs(5)));
    assert_eq!(press(&mut app, &[KeyCode::Char('r')]), Action::Refresh);
    press(&mut app, &[KeyCode::Char('+'); 9]);
    assert_eq!(app.interval, 60);
    press(&mut app, &[KeyCode::End]);
    assert_eq!(app.refresh_after(), Some(Duration::from_secs(1)), "what is live is asked for often");
    press(&mut app, &[KeyCode::Char('-'); 9]);
    assert_eq!((app.interval, app.refresh_after()), (0, None), "by hand is by hand");
    assert_eq!(press(&mut app, &[KeyCode::Char('q')]), Action::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    press(&mut app, &[KeyCode::Char('/')]);
    assert_eq!(app.key(interrupt), Action::Quit);
}

#[test]
fn what_is_told_stays_when_the_service_goes() {
    let mut app = app();
    app.take(Err("no policyagent is running".to_owned()));
    let screen = drawn(&mut app, 100, false).backend().to_string();
    assert!(screen.contains("! no policyagent is running") && screen.contains("for the lab"), "{screen}");
    app.take(Ok(told()));
    assert!(!drawn(&mut app, 100, false).backend().to_string().contains("no policyagent"));
}

#[test]
fn names_come_later_and_nothing_waits_for_them() {
    let mut app = app();
    app.view = View::MainModeSas;
    press(&mut app, &[KeyCode::Char('n')]);
    assert_eq!(rows(&mut app).rows[0].cells[1].text, "10.9.0.2");
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while !app.take_names() {
        assert!(std::time::Instant::now() < end, "the name comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    let cells = &rows(&mut app).rows[0].cells;
    // What has no name stays as it is.
    assert_eq!((cells[0].text.as_str(), cells[1].text.as_str()), (ME, "b.example.net"));
    press(&mut app, &[KeyCode::Char('n')]);
    assert_eq!(rows(&mut app).rows[0].cells[1].text, "10.9.0.2");
}

#[test]
fn every_row_has_a_cell_for_each_column() {
    let (told, search) = (told(), Search::default());
    for view in View::ALL {
        let table = view.table(&told, &mut view::Look { search: &search, own: &[], names: None });
        assert!(!table.rows.is_empty(), "{view:?}");
        for row in &table.rows {
            assert_eq!(row.cells.len(), table.columns.len(), "{view:?}");
        }
    }
}
