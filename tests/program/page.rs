//! What holds of every page and picture that the program writes, checked without a browser: well-formed to the
//! last tag, nothing fetched from elsewhere, no link into the void, no number that is none.

use roxmltree::{Document, Node, ParsingOptions};
use std::collections::HashSet;
use std::path::Path;

const SVG: &str = "http://www.w3.org/2000/svg";

/// Checks every page and picture in a folder and the folders below, and returns the number of pages.
pub fn check_all(folder: &Path) -> usize {
    let mut pages = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let read = || std::fs::read_to_string(&path).unwrap();
        let checked = match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() => {
                pages += check_all(&path);
                Ok(())
            }
            Some("html") => {
                pages += 1;
                page(&read())
            }
            Some("svg") => picture(&read()),
            _ => Ok(()),
        };
        checked.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    }
    pages
}

/// Checks a page.
pub fn page(html: &str) -> Result<(), String> {
    let document = parsed(html)?;
    let root = document.root_element();
    let texts = |name: &str| -> Vec<String> {
        let named = root.descendants().filter(|node| node.has_tag_name(name));
        named.map(|node| node.text().unwrap_or_default().trim().to_string()).collect()
    };
    if !root.has_tag_name("html") {
        return Err("the root is not html".into());
    }
    for name in ["title", "h1"] {
        match texts(name).as_slice() {
            [text] if !text.is_empty() => {}
            other => return Err(format!("one {name} with a text, not {other:?}")),
        }
    }
    for svg in root.descendants().filter(|node| node.tag_name().name() == "svg") {
        drawn(svg)?;
        if svg.attribute("aria-label").is_none_or(|words| words.trim().is_empty()) {
            return Err("a picture without words for those who do not see it".into());
        }
    }
    self_contained(&document)
}

/// Checks a picture in a file of its own.
fn picture(svg: &str) -> Result<(), String> {
    let document = parsed(svg)?;
    drawn(document.root_element())?;
    self_contained(&document)
}

fn parsed(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

/// A picture has a size, something drawn in it, and finite coordinates.
fn drawn(svg: Node) -> Result<(), String> {
    if !svg.has_tag_name((SVG, "svg")) {
        return Err(format!("{:?} is no picture", svg.tag_name()));
    }
    let size: Option<Vec<f64>> = svg
        .attribute("viewBox")
        .and_then(|numbers| numbers.split_whitespace().map(|number| number.parse().ok()).collect());
    if !matches!(size.as_deref(), Some(&[_, _, width, height]) if width > 0.0 && height > 0.0) {
        return Err(format!("a picture with the size {:?}", svg.attribute("viewBox")));
    }
    let shapes = ["path", "polyline", "polygon", "line", "circle", "rect"];
    let is_shape = |node: Node| shapes.iter().any(|name| node.has_tag_name((SVG, *name)));
    if !svg.descendants().any(is_shape) {
        return Err("an empty picture".into());
    }
    const COORDINATES: [&str; 12] =
        ["d", "points", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "transform"];
    for attribute in svg.descendants().flat_map(|node| node.attributes()) {
        let no_number = ["NaN", "inf"].iter().any(|text| attribute.value().contains(text));
        if COORDINATES.contains(&attribute.name()) && no_number {
            return Err(format!("{}=\"{}\"", attribute.name(), attribute.value()));
        }
    }
    Ok(())
}

/// Nothing is run or fetched, and whatever is named within the document is there, once.
fn self_contained(document: &Document) -> Result<(), String> {
    const ACTIVE: [&str; 8] =
        ["script", "link", "base", "iframe", "object", "embed", "form", "foreignObject"];
    const ADDRESSES: [&str; 8] =
        ["src", "href", "srcset", "poster", "action", "data", "background", "formaction"];
    let mut names = HashSet::new();
    for id in document.descendants().filter_map(|node| node.attribute("id")) {
        if !names.insert(id) {
            return Err(format!("two elements with the id {id}"));
        }
    }
    let there = |address: &str| match address.strip_prefix('#') {
        Some(id) if names.contains(id) => Ok(()),
        Some(id) => Err(format!("no element has the id {id}")),
        None if address.starts_with("data:") => Ok(()),
        None => Err(format!("{address} would be fetched")),
    };
    let style = |text: &str| -> Result<(), String> {
        if text.contains("@import") {
            return Err("a style that imports another".into());
        }
        for address in text.split("url(").skip(1) {
            let address = address.split(')').next().unwrap_or_default();
            there(address.trim_matches(['"', '\'', ' ']))?;
        }
        Ok(())
    };
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        if ACTIVE.contains(&name) {
            return Err(format!("an element {name}"));
        }
        if name == "style" {
            style(node.text().unwrap_or_default())?;
        }
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            if name.starts_with("on") || name == "http-equiv" {
                return Err(format!("an attribute {name}"));
            }
            if ADDRESSES.contains(&name) {
                there(value)?;
            } else {
                style(value)?;
            }
        }
    }
    Ok(())
}

/// The checks themselves can fail.
mod tests {
    #[test]
    fn a_page_with_a_fault_is_refused() {
        let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 3 2\" aria-label=\"p\">\
                       <path id=\"p\" d=\"M0 0L3 2\"/></svg>";
        let whole = format!(
            "<!DOCTYPE html>\n<html><head><title>t</title><style>a{{color:red}}</style></head>\
             <body><h1>t</h1><a href=\"#p\">p</a>{picture}</body></html>"
        );
        assert_eq!(super::page(&whole), Ok(()));
        assert_eq!(super::picture(picture), Ok(()));
        for (part, instead, fault) in [
            ("</h1>", "", "expected 'h1'"),
            ("<h1>t</h1>", "", "one h1"),
            ("<title>t</title>", "<title> </title>", "one title"),
            ("d=\"M0 0L3 2\"", "d=\"M0 NaNL3 2\"", "NaN"),
            ("<path id=\"p\" d=\"M0 0L3 2\"/>", "<g id=\"p\"/>", "an empty picture"),
            ("viewBox=\"0 0 3 2\"", "viewBox=\"0 0 3 0\"", "size"),
            (" xmlns=\"http://www.w3.org/2000/svg\"", "", "no picture"),
            ("aria-label=\"p\"", "", "words"),
            ("#p", "#q", "no element has the id q"),
            ("#p", "https://example.org", "would be fetched"),
            ("color:red", "background:url(a.png)", "a.png would be fetched"),
            ("color:red}", "}@import 'a';{", "imports"),
            ("d=\"M0", "fill=\"url(#q)\" d=\"M0", "no element has the id q"),
            ("<h1>", "<h1 id=\"p\">", "two elements"),
            ("<h1>", "<h1 onclick=\"a()\">", "onclick"),
            ("</body>", "<script>a()</script></body>", "script"),
            ("<body>", "<body><img src=\"a.png\"/>", "a.png would be fetched"),
        ] {
            assert!(whole.contains(part), "{part}");
            let found = super::page(&whole.replace(part, instead)).expect_err(instead);
            assert!(found.contains(fault), "{instead}: {found}");
        }
    }
}
