"""The export menu."""

from streamlit.testing.v1 import AppTest

from ui.export import export_url


def screen():
    from ui.export import export_button

    export_button("customers", q="a&b", page=None)


def links(screen):
    return [element.proto.url for element in screen.get("link_button")]


def test_an_analyst_gets_a_link_per_format(act_as):
    act_as("analyst")
    assert links(AppTest.from_function(screen, default_timeout=30).run()) == [
        "/export/customers.csv?q=a%26b",
        "/export/customers.xlsx?q=a%26b",
        "/export/customers.parquet?q=a%26b",
    ]


def test_a_viewer_gets_none(act_as):
    act_as("viewer")
    shown = AppTest.from_function(screen, default_timeout=30).run()
    assert links(shown) == []
    assert not shown.main.children


def test_beside_the_links_stand_the_lines_for_a_notebook(act_as):
    act_as("analyst")
    [code] = AppTest.from_function(screen, default_timeout=30).run().code
    assert code.value.splitlines()[-1] == 'table = workbench.frame("customers", q="a&b")'


def test_addresses_are_quoted_and_leave_out_what_is_not_set():
    assert export_url("roi", "csv") == "/export/roi.csv"
    assert (
        export_url("roi", "csv", segment=3, q=None, name="Ü/&")
        == "/export/roi.csv?segment=3&name=%C3%9C%2F%26"
    )
