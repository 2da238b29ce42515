use proptest::prelude::*;

use super::*;

fn english(text: &str) -> Vec<String> {
    analyze(text, Language::English)
}

fn finds(query: &str, document: &str) -> bool {
    let document = english(document);
    english(query).iter().any(|term| document.contains(term))
}

#[test]
fn english_is_stemmed_without_stop_words_and_possessives() {
    assert_eq!(
        english("The cats' owners were running to Anna’s houses"),
        ["cat", "owner", "run", "anna", "hous"]
    );
    assert_eq!(english("Don't you know what it is?"), ["know"]);
}

#[test]
fn letters_that_name_things_are_kept() {
    assert_eq!(english("vitamin D and T cells"), ["vitamin", "d", "t", "cell"]);
}

#[test]
fn identifiers_are_found_by_their_whole_and_their_parts() {
    for query in ["server_port", "port", "server", "serverPort", "server-port", "SERVER_PORT", "serverport"] {
        assert!(finds(query, "set `server_port` to 80"), "{query}");
    }
    for query in ["MCP_RAG__SERVER__PORT", "rag", "port"] {
        assert!(finds(query, "export MCP_RAG__SERVER__PORT=80"), "{query}");
    }
    for query in ["HTTPServer", "http", "server", "httpserver"] {
        assert!(finds(query, "an HTTPServer starts"), "{query}");
    }
    for query in
        ["foo.bar", "bar", "user@example.com", "example.com", "config/default.toml", "default.toml", "toml"]
    {
        assert!(finds(query, "see foo.bar, user@example.com and config/default.toml"), "{query}");
    }
}

#[test]
fn acronyms_are_one_term_however_they_are_dotted() {
    assert!(finds("USA", "the U.S.A. is") && finds("U.S.", "the US is"));
    assert_eq!(english("mRNAs"), ["rna", "mrna"]);
    assert_eq!(english("DNAs PCRs"), ["dna", "pcr"]);
}

#[test]
fn numbers_versions_and_hyphenated_words_are_found_as_written() {
    assert!(finds("1234", "1,234 people") && finds("0.8.4", "since 0.8.4") && finds("0.8", "since 0.8.4"));
    assert!(!finds("3", "version 3.14"));
    assert!(
        finds("TNFalpha", "TNF-alpha")
            && finds("alpha", "TNF-alpha")
            && finds("state of the art", "state-of-the-art")
    );
}

#[test]
fn letters_and_digits_are_found_together_and_apart() {
    for (query, document) in
        [("IL6", "IL-6"), ("IL-6", "IL6"), ("covid 19", "COVID19"), ("1990", "the 1990s")]
    {
        assert!(finds(query, document), "{query} in {document}");
    }
    assert_eq!(english("9f86d081884c7d659a2feaa0c55ad015"), ["9f86d081884c7d659a2feaa0c55ad015"]);
}

#[test]
fn variants_do_not_make_a_text_longer() {
    assert_eq!(term_counts("server_port", Language::English).length, 2);
    assert_eq!(term_counts("the end of the story", Language::English).length, 2);
}

#[test]
fn accents_width_and_case_do_not_matter() {
    assert_eq!(english("CAFÉ"), english("cafe"));
    assert_eq!(english("ＡＢＣ"), english("abc"));
    assert_eq!(english("naïve"), english("naive"));
}

#[test]
fn scripts_without_spaces_become_pairs_of_characters() {
    assert_eq!(english("机器学习"), ["机器", "器学", "学习"]);
    assert_eq!(english("日"), ["日"]);
    assert!(finds("検索", "全文検索エンジン"));
    assert!(finds("ภาษา", "ภาษาไทย"));
    assert!(finds("데이터", "데이터베이스를"));
}

#[test]
fn other_languages_have_their_own_rules() {
    let same = |code: &str, a: &str, b: &str| {
        assert_eq!(
            analyze(a, Language::from_setting(code)),
            analyze(b, Language::from_setting(code)),
            "{code}"
        );
    };
    same("de", "die Häuser", "der Hauser");
    same("fr", "l'eau des océans", "eau océan");
    same("es", "las canciones", "canción");
    same("ru", "книгами", "книга");
    same("tr", "IŞIK", "ışık");
    assert_eq!(analyze("The running cats", Language::Simple), ["the", "running", "cats"]);
}

#[test]
fn counts_agree_with_the_terms() {
    let counts = term_counts("red fish, blue fish", Language::English);
    assert_eq!(counts.terms, [("red".to_owned(), 1), ("fish".to_owned(), 2), ("blue".to_owned(), 1)]);
    assert_eq!(counts.length, 4);
}

#[test]
fn endless_words_are_cut_and_take_linear_time() {
    for piece in ["x", "aB", "a_", "a.", "1.", "a-", "'", "e\u{301}", "字", "ก", "A", "_", "a'b"] {
        let started = std::time::Instant::now();
        let terms = english(&piece.repeat(300_000 / piece.len()));
        assert!(terms.iter().all(|term| term.chars().count() <= MAX_TERM_CHARS), "{piece:?}");
        assert!(started.elapsed().as_secs() < 5, "{piece:?} took {:?}", started.elapsed());
    }
}

proptest! {
    #[test]
    fn any_text_in_any_language_gives_clean_bounded_terms(text in "(\\PC|[a-zA-Z_.' -]|[äßéñİıçş]|[а-я]|[ء-ي]|[一-三]){0,60}") {
        for &language in Language::ALL {
            let terms = analyze(&text, language);
            for term in &terms {
                prop_assert!(!term.is_empty() && !term.contains(['\0', '\'', ' ']), "{:?}", term);
                prop_assert!(term.chars().count() <= 2 * MAX_TERM_CHARS);
            }
            let counts = term_counts(&text, language);
            // Besides the terms of a query, single characters of runs: at most two to a pair.
            let counted = counts.terms.iter().map(|(_, count)| *count as usize).sum::<usize>();
            prop_assert!(terms.len() <= counted && counted <= 3 * terms.len(), "{} and {}", terms.len(), counted);
            prop_assert!(counts.length as usize <= terms.len());
        }
    }
}

#[test]
fn chinese_japanese_and_korean_are_bigrams_and_single_characters_are_found_too() {
    let simple = |text: &str| analyze(text, Language::Simple);
    assert_eq!(simple("数据库密码"), ["数据", "据库", "库密", "密码"]);
    assert_eq!(simple("猫"), ["猫"]);
    assert_eq!(simple("ﾊﾟｽﾜｰﾄﾞ"), simple("パスワード"));
    let counts = term_counts("黒い猫と물을", Language::Simple);
    let counted: Vec<&str> = counts.terms.iter().map(|(term, _)| term.as_str()).collect();
    assert!(["猫", "물", "い猫"].iter().all(|term| counted.contains(term)), "{counted:?}");
    assert!(!counted.contains(&"い"), "a letter says nothing: {counted:?}");
    assert_eq!(counts.length, 5, "bigrams make up the length");
}
