//! Decides whether an offered version is installed.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Install,
    UpToDate,
    /// An older version would bring back faults that were fixed.
    Refuse,
    /// Not MAJOR.MINOR.PATCH.
    Invalid,
}

pub fn decide(installed: &str, offered: &str) -> Decision {
    match (version(installed), version(offered)) {
        (Some(have), Some(new)) if new > have => Decision::Install,
        (Some(have), Some(new)) if new == have => Decision::UpToDate,
        (Some(_), Some(_)) => Decision::Refuse,
        _ => Decision::Invalid,
    }
}

fn version(text: &str) -> Option<[u16; 3]> {
    let mut parts = text.split('.').map(|p| p.parse().ok());
    let v = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(v)
}
