//! DNS names of addresses, looked up beside the screen, which never waits for them.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What finds the name of an address.
type LookUp = fn(IpAddr) -> Option<String>;

/// The names that are known so far.
#[derive(Debug)]
pub(super) struct Names {
    known: BTreeMap<IpAddr, Option<String>>,
    /// How many answers are to come.
    waiting: usize,
    questions: Sender<IpAddr>,
    answers: Receiver<(IpAddr, Option<String>)>,
}

impl Names {
    /// Has a thread ask the system's resolver.
    pub(super) fn start() -> Self {
        Self::with(ikedaemon::sys::host_name)
    }

    /// Has a thread ask `look_up`.
    pub(super) fn with(look_up: LookUp) -> Self {
        let (questions, asked) = channel::<IpAddr>();
        let (told, answers) = channel();
        std::thread::spawn(move || {
            for address in asked {
                // Nobody wants to know any more.
                if told.send((address, look_up(address))).is_err() {
                    return;
                }
            }
        });
        Self { known: BTreeMap::new(), waiting: 0, questions, answers }
    }

    /// Takes what has come; true if there is something.
    pub(super) fn take(&mut self) -> bool {
        let mut news = false;
        for (address, name) in self.answers.try_iter() {
            self.waiting -= 1;
            news |= name.is_some();
            self.known.insert(address, name);
        }
        news
    }

    /// The text, with the name for its address if that is known; otherwise it is asked for.
    pub(super) fn name(&mut self, text: &str) -> String {
        let Ok(address) = text.parse::<IpAddr>() else { return text.to_owned() };
        match self.known.get(&address) {
            Some(Some(name)) => name.clone(),
            Some(None) => text.to_owned(),
            None => {
                self.known.insert(address, None);
                self.waiting += usize::from(self.questions.send(address).is_ok());
                text.to_owned()
            }
        }
    }

    /// Waits until all that was asked for has its answer; for what is printed once.
    pub(super) fn settle(&mut self) {
        while self.waiting > 0 {
            let Ok((address, name)) = self.answers.recv() else { return };
            self.waiting -= 1;
            self.known.insert(address, name);
        }
    }
}
