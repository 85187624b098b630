"""Write them."""

from llamactl.cli.documents import ROOT, documents

for name, text in documents((ROOT / "README.md").read_text()).items():
    path = ROOT / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    print(name)
