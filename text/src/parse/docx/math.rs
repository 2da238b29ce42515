//! Equations as LaTeX, which readers and models both know.

use crate::parse::xml::Element;

/// An `oMath` element, or any part of one.
pub(super) fn latex(element: &Element) -> String {
    let mut text = String::new();
    element.elements().for_each(|child| write(child, &mut text));
    text
}

fn part(element: &Element, name: &str) -> String {
    element.child(name).map(latex).unwrap_or_default()
}

/// A character given as a property, or what stands where none is given.
fn character<'a>(element: &'a Element, properties: &str, name: &str, usual: &'a str) -> &'a str {
    element.child(properties).and_then(|properties| properties.value(name)).unwrap_or(usual)
}

fn write(element: &Element, text: &mut String) {
    let (base, above, below) = ("e", "sup", "sub");
    match element.name.as_str() {
        "r" => element.all("t").for_each(|run| symbols(&run.text(), text)),
        "f" => {
            let bar = character(element, "fPr", "type", "bar");
            let (top, bottom) = (part(element, "num"), part(element, "den"));
            match bar {
                "noBar" => text.push_str(&format!("\\genfrac{{}}{{}}{{0pt}}{{}}{{{top}}}{{{bottom}}}")),
                _ => text.push_str(&format!("\\frac{{{top}}}{{{bottom}}}")),
            }
        }
        "sSup" => text.push_str(&format!("{}^{{{}}}", part(element, base), part(element, above))),
        "sSub" => text.push_str(&format!("{}_{{{}}}", part(element, base), part(element, below))),
        "sSubSup" => text.push_str(&format!(
            "{}_{{{}}}^{{{}}}",
            part(element, base),
            part(element, below),
            part(element, above)
        )),
        "sPre" => text.push_str(&format!(
            "{{}}_{{{}}}^{{{}}}{}",
            part(element, below),
            part(element, above),
            part(element, base)
        )),
        "rad" => match part(element, "deg") {
            degree if degree.trim().is_empty() => {
                text.push_str(&format!("\\sqrt{{{}}}", part(element, base)));
            }
            degree => text.push_str(&format!("\\sqrt[{}]{{{}}}", degree.trim(), part(element, base))),
        },
        "nary" => {
            symbols(character(element, "naryPr", "chr", "∫"), text);
            for (mark, name) in [("_", below), ("^", above)] {
                let limit = part(element, name);
                if !limit.is_empty() {
                    text.push_str(&format!("{mark}{{{limit}}}"));
                }
            }
            text.push_str(&part(element, base));
        }
        "d" => {
            let (open, close) =
                (character(element, "dPr", "begChr", "("), character(element, "dPr", "endChr", ")"));
            let between = character(element, "dPr", "sepChr", "|");
            let inner: Vec<String> = element.all(base).map(latex).collect();
            let fence = |fence: &str| match fence {
                "" => ".".to_owned(),
                "{" | "}" => format!("\\{fence}"),
                fence => fence.to_owned(),
            };
            text.push_str(&format!("\\left{}{}\\right{}", fence(open), inner.join(between), fence(close)));
        }
        "func" => {
            let name = part(element, "fName");
            let known = name.trim();
            if known.len() > 1 && known.bytes().all(|byte| byte.is_ascii_lowercase()) {
                text.push('\\');
            }
            text.push_str(&format!("{known}({})", part(element, base)));
        }
        "m" => {
            let row = |row: &Element| row.all(base).map(latex).collect::<Vec<_>>().join(" & ");
            let rows: Vec<String> = element.all("mr").map(row).collect();
            text.push_str(&format!("\\begin{{matrix}}{}\\end{{matrix}}", rows.join("\\\\")));
        }
        "eqArr" => {
            let rows: Vec<String> = element.all(base).map(latex).collect();
            text.push_str(&format!("\\begin{{array}}{}\\end{{array}}", rows.join("\\\\")));
        }
        "acc" => {
            let accent = match character(element, "accPr", "chr", "\u{302}") {
                "\u{303}" => "tilde",
                "\u{304}" | "\u{305}" => "bar",
                "\u{307}" => "dot",
                "\u{308}" => "ddot",
                "\u{20D7}" => "vec",
                _ => "hat",
            };
            text.push_str(&format!("\\{accent}{{{}}}", part(element, base)));
        }
        "bar" => {
            let line =
                if character(element, "barPr", "pos", "bot") == "top" { "overline" } else { "underline" };
            text.push_str(&format!("\\{line}{{{}}}", part(element, base)));
        }
        "limLow" => text.push_str(&format!("{}_{{{}}}", named(&part(element, base)), part(element, "lim"))),
        "limUpp" => text.push_str(&format!("{}^{{{}}}", named(&part(element, base)), part(element, "lim"))),
        "ctrlPr" | "rPr" => {}
        name if name.ends_with("Pr") => {}
        _ => text.push_str(&latex(element)),
    }
}

fn named(base: &str) -> String {
    match base.trim() {
        known @ ("lim" | "max" | "min" | "sup" | "inf") => format!("\\{known}"),
        other => other.to_owned(),
    }
}

/// Letters and signs that LaTeX has names for.
fn symbols(run: &str, text: &mut String) {
    const NAMES: &[(char, &str)] = &[
        ('α', "alpha"),
        ('β', "beta"),
        ('γ', "gamma"),
        ('δ', "delta"),
        ('ε', "epsilon"),
        ('ζ', "zeta"),
        ('η', "eta"),
        ('θ', "theta"),
        ('ι', "iota"),
        ('κ', "kappa"),
        ('λ', "lambda"),
        ('μ', "mu"),
        ('ν', "nu"),
        ('ξ', "xi"),
        ('π', "pi"),
        ('ρ', "rho"),
        ('σ', "sigma"),
        ('τ', "tau"),
        ('υ', "upsilon"),
        ('φ', "phi"),
        ('χ', "chi"),
        ('ψ', "psi"),
        ('ω', "omega"),
        ('Γ', "Gamma"),
        ('Δ', "Delta"),
        ('Θ', "Theta"),
        ('Λ', "Lambda"),
        ('Ξ', "Xi"),
        ('Π', "Pi"),
        ('Σ', "Sigma"),
        ('Φ', "Phi"),
        ('Ψ', "Psi"),
        ('Ω', "Omega"),
        ('∑', "sum"),
        ('∏', "prod"),
        ('∫', "int"),
        ('∬', "iint"),
        ('∮', "oint"),
        ('∞', "infty"),
        ('±', "pm"),
        ('∓', "mp"),
        ('×', "times"),
        ('÷', "div"),
        ('≤', "leq"),
        ('≥', "geq"),
        ('≠', "neq"),
        ('≈', "approx"),
        ('≡', "equiv"),
        ('∂', "partial"),
        ('∇', "nabla"),
        ('∈', "in"),
        ('∉', "notin"),
        ('⊂', "subset"),
        ('⊆', "subseteq"),
        ('∪', "cup"),
        ('∩', "cap"),
        ('→', "rightarrow"),
        ('←', "leftarrow"),
        ('↔', "leftrightarrow"),
        ('⇒', "Rightarrow"),
        ('⇔', "Leftrightarrow"),
        ('∀', "forall"),
        ('∃', "exists"),
        ('⋅', "cdot"),
        ('…', "ldots"),
        ('⋯', "cdots"),
        ('∝', "propto"),
        ('√', "sqrt"),
        ('∧', "wedge"),
        ('∨', "vee"),
        ('¬', "neg"),
        ('∅', "emptyset"),
        ('∘', "circ"),
        ('′', "prime"),
    ];
    for c in run.chars() {
        match NAMES.iter().find(|(known, _)| *known == c) {
            Some((_, name)) => text.push_str(&format!(" \\{name} ")),
            None => text.push(plain(c)),
        }
    }
}

/// The letter of a mathematical alphabet: models and searches know the plain one.
fn plain(c: char) -> char {
    let code = u32::from(c);
    let latin = |start: u32| {
        let at = (code - start) % 52;
        char::from_u32(if at < 26 { 0x41 + at } else { 0x61 + at - 26 }).unwrap_or(c)
    };
    match code {
        0x1D400..=0x1D6A3 => latin(0x1D400),
        0x1D7CE..=0x1D7FF => char::from_u32(0x30 + (code - 0x1D7CE) % 10).unwrap_or(c),
        0x210E => 'h',
        _ => c,
    }
}
