use crate::support::Server;
use serde_json::json;

/// Language of the collection, text, and queries that must find it (and nothing else does).
const TABLE: [(&str, &str, &[&str]); 11] = [
    ("en", "The engineers rotated the passwords.", &["engineer", "rotate password", "ROTATING", "Passwords"]),
    (
        "de",
        "Die Häuser der Gärtner stehen am Fluß.",
        &["Haus", "haeuser häuser", "gärtner", "Gartner", "fluss"],
    ),
    ("french", "L'eau des rivières était gelée.", &["eau", "rivière", "RIVIÈRES", "gelée"]),
    ("es", "Los niños corrían por las calles.", &["niño", "nino", "calle"]),
    ("ru", "Книги лежат на столе.", &["книга", "КНИГИ"]),
    ("tlh", "Qapla' batlh je jIH naDev.", &["batlh", "QAPLA"]),
    ("zh", "数据库的密码应该定期更换。", &["密码", "数据库", "更换", "换", "数据库密码"]),
    ("ja", "黒い猫はデータベースのパスワードを変更する。", &["パスワード", "変更", "猫", "ﾊﾟｽﾜｰﾄﾞ"]),
    ("ko", "비밀번호를 정기적으로 바꾸고 물을 마신다.", &["비밀번호", "정기적", "물"]),
    ("th", "ควรเปลี่ยนรหัสผ่านของฐานข้อมูลเป็นประจำ", &["รหัสผ่าน", "ฐานข้อมูล"]),
    ("zh-TW", "資料庫的密碼應該定期更換。", &["密碼", "資料庫"]),
];

#[test]
fn each_language_is_found_by_its_words_in_their_forms() {
    let server = Server::start();
    for (language, text, _) in TABLE {
        server.create_with(&json!({"name": language, "language": language}));
        server.ingest(language, &[("it", text), ("other", "0815")]);
    }
    for (language, _, queries) in TABLE {
        for query in queries {
            assert_eq!(server.search_in(language, query, "lexical"), ["it"], "{language}: {query}");
        }
    }
}

#[test]
fn one_search_over_collections_of_several_languages_reads_the_query_in_each() {
    let server = Server::start();
    for (language, text) in [("en", "The houses burned."), ("de", "Die Häuser brannten.")] {
        server.create_with(&json!({"name": language, "language": language}));
        server.ingest(language, &[(language, text)]);
    }
    let found = |query: &str| {
        let mut found = crate::support::ids(&server.search(&json!({"query": query, "mode": "lexical"})));
        found.sort();
        found
    };
    assert_eq!(found("house Haus"), ["de", "en"]);
    assert_eq!(found("houses"), ["en"]);
    assert_eq!(found("Häusern"), ["de"]);
}

#[test]
fn cjk_text_in_an_english_collection_is_found_too() {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("a", "The manual says 数据库密码 in one line."), ("b", "Nothing of that.")]);
    assert_eq!(server.search_in("docs", "密码", "lexical"), ["a"]);
    assert_eq!(server.search_in("docs", "manual", "lexical"), ["a"]);
}

#[test]
fn a_keyword_of_several_characters_does_not_find_each_of_them_apart() {
    let server = Server::start();
    server.create_with(&json!({"name": "zh", "language": "zh"}));
    server.ingest("zh", &[("password", "请保管好密码。"), ("dense", "树木很密。"), ("number", "邮政编码。")]);
    assert_eq!(server.search_in("zh", "密码", "lexical"), ["password"]);
    let mut found = server.search_in("zh", "密", "lexical");
    found.sort();
    assert_eq!(found, ["dense", "password"]);
}
