echo started >>"$GO.log"
until [ -e "$GO" ]; do sleep 0.05; done
echo '{"came": true}' >result.json
