//! A page of text, tables and pictures in one HTML file that needs no network and no script.

use crate::files;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Title.
    pub title: String,
    /// The text below the title: what the page shows and where it comes from.
    pub introduction: String,
    /// The sections in order.
    pub sections: Vec<Section>,
}

/// A heading and the content below it.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Paragraphs.
    pub text: Vec<String>,
    /// Sounds to hear.
    pub audio: Vec<Audio>,
    /// A picture as SVG, and a description in words.
    pub picture: Option<(String, String)>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Lines in a fixed-width font.
    pub code: Option<String>,
}

/// A sound in the page.
#[derive(Clone, Debug, Default)]
pub struct Audio {
    /// The name of the sound.
    pub name: String,
    /// The bytes of a WAV file.
    pub wav: Vec<u8>,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The table's title.
    pub caption: String,
    /// The names of the columns.
    pub header: Vec<String>,
    /// The rows, each as wide as the header; the first column names the row.
    pub rows: Vec<Vec<String>>,
}

const STYLE: &str = "\
:root{color-scheme:light}\
body{font:17px/1.5 Georgia,'Times New Roman',serif;color:#222;background:#fff;\
max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem}\
figure{margin:1rem 0}svg{width:100%;height:auto;display:block}\
figcaption,caption{font-size:.9rem;color:#444;text-align:left;padding:.3rem 0}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}\
th,td{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #222}\
pre{overflow-x:auto;background:#f4f4f4;padding:.6rem;font-size:.9rem}\
@media print{body{font-size:11pt;max-width:none;padding:0}\
figure,table,pre{break-inside:avoid}h2{break-after:avoid}.wide{overflow:visible}}";

/// The text without markup for HTML, and without characters that XML forbids.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(' ');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

impl Page {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let mut html = String::new();
        let title = escaped(&self.title);
        // Writing to a string does not fail.
        let _ = write!(
            html,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<p>{}</p>\n",
            escaped(&self.introduction)
        );
        for section in &self.sections {
            section.write(&mut html);
        }
        html.push_str("</body></html>\n");
        html
    }

    /// Writes the page.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        files::replace(path, self.html().as_bytes())
    }
}

impl Section {
    fn write(&self, html: &mut String) {
        let _ = writeln!(html, "<section><h2>{}</h2>", escaped(&self.heading));
        for paragraph in &self.text {
            let _ = writeln!(html, "<p>{}</p>", escaped(paragraph));
        }
        for Audio { name, wav } in &self.audio {
            let (name, data) = (escaped(name), STANDARD.encode(wav));
            let _ = writeln!(
                html,
                "<figure><figcaption>{name}</figcaption><audio controls=\"\" aria-label=\"{name}\" \
                 src=\"data:audio/wav;base64,{data}\"></audio></figure>"
            );
        }
        if let Some((svg, words)) = &self.picture {
            let words = escaped(words);
            let svg = scalable(svg).replacen(
                "<svg ",
                &format!("<svg role=\"img\" aria-label=\"{words}\" "),
                1,
            );
            let _ = writeln!(html, "<figure>{svg}<figcaption>{words}</figcaption></figure>");
        }
        for table in &self.tables {
            table.write(html);
        }
        if let Some(code) = &self.code {
            let _ = writeln!(html, "<pre>{}</pre>", escaped(code));
        }
        html.push_str("</section>\n");
    }
}

/// The picture without a fixed size: the page's style gives it the full width.
fn scalable(svg: &str) -> String {
    let Some((tag, rest)) = svg.split_once('>') else { return svg.into() };
    let mut kept = String::new();
    for part in tag.split(' ') {
        if !part.starts_with("width=") && !part.starts_with("height=") {
            kept.push_str(part);
            kept.push(' ');
        }
    }
    format!("{}>{rest}", kept.trim_end())
}

impl Table {
    fn write(&self, html: &mut String) {
        let cells = |tag: &str, cells: &[String]| {
            let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
            cells.collect::<String>()
        };
        let _ = write!(
            html,
            "<div class=\"wide\"><table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>",
            escaped(&self.caption),
            cells("th", &self.header)
        );
        for row in &self.rows {
            let _ = write!(html, "<tr>{}</tr>", cells("td", row));
        }
        html.push_str("</tbody></table></div>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_markup_is_text() {
        let section = Section {
            heading: "<script>alert(1)</script>".into(),
            text: vec!["a & b\u{1}".into()],
            picture: Some((
                "<svg width=\"10\" height=\"20\" viewBox=\"0 0 10 20\"><g/></svg>".into(),
                "a \"picture\"".into(),
            )),
            tables: vec![Table {
                caption: "c".into(),
                header: vec!["<h>".into()],
                rows: vec![vec!["1 < 2".into()]],
            }],
            code: Some("x > y".into()),
            audio: vec![Audio { name: "a \"sound\"".into(), wav: b"RIFF\xff".to_vec() }],
        };
        let page = Page { title: "T<".into(), introduction: "I>".into(), sections: vec![section] };
        let html = page.html();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(html.contains("<p>a &amp; b </p>") && html.contains("<td>1 &lt; 2</td>"));
        assert!(html.contains(
            "<svg role=\"img\" aria-label=\"a &quot;picture&quot;\" viewBox=\"0 0 10 20\"><g/></svg>"
        ));
        assert!(html.contains(
            "<audio controls=\"\" aria-label=\"a &quot;sound&quot;\" src=\"data:audio/wav;base64,UklGRv8=\"></audio>"
        ));
        assert!(html.contains("<pre>x &gt; y</pre>") && html.contains("<title>T&lt;</title>"));
    }
}
