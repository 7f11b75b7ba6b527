"""What people take away of a run.

conclusions: what a run comes to, as values; every form below reads these alone.
verdict: the run in one sentence.
headline: the verdict in two parts.
learning_text: how the loss went, and what to ask where it did not fall.
questions: the answers to what people come with.
depth_answer: whether the gradient gets through the depth.
window_answer: how long the window of a stream should be.
why_broken: why a run turned NaN.
dependency_text: what the data was asked, in sentences.
finding_text: how a finding reads, with its place and its figures.
grouped_findings: findings as they are listed.
asked_lags: which lags the error depends on at the place of a recurrent layer.
key_figure: the one figure that shows what the verdict says.
glossary: the symbols and words of the tables in plain words.
explanation: what a rule has to say of itself.
run_text: how a command, what watching cost and what a guard did read.

report: the report as an object, `gr.Report`.
report_repr: how Python shows it at its prompt.
terminal: the report on a terminal or in a log.
last_screen: what of it stands on the last 24 rows.
page: the report as one HTML page, put together from its panels.
panels: the parts of the page, one file each.
html: what the pages share: style, script, policy, how a template prints.
charts: curves, maps and cards as SVG, data and text.
markdown: the report as Markdown.
verdict_card: the verdict as one picture.
json_report: the report as JSON.
fields: the fields of the JSON report, typed and described.
json_schema: the schemas that follow from the fields.
ci_formats: what build servers read.
compare: two runs side by side.
live: where a run stands while it goes on.
"""
