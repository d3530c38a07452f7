# Where this config comes from, and which charts hubcap fetched. It is written by
# hubcap plan, apply and validate; keep it under version control. To move within the
# constraints: hubcap plan --upgrade-charts.

origin = "987b7aeee6bc0719645522dc597f456a"
